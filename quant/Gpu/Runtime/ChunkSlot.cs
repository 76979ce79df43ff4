using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Runtime;

/// <summary>The buffers of one chunk on the device, and the stream that fills, computes and empties them.</summary>
internal sealed class ChunkSlot(Accelerator accelerator)
{
    private readonly Port[] _ports = [.. Enumerable.Range(0, 6).Select(_ => new Port(accelerator))];

    public AcceleratorStream Stream { get; } = accelerator.CreateStream();

    /// <summary>The chunk under way, -1 for none.</summary>
    public long Chunk { get; set; } = -1;

    public Port In => _ports[0];

    public Port InScales => _ports[1];

    public Port Out => _ports[2];

    public Port OutScales => _ports[3];

    /// <summary>Zero points that come in.</summary>
    public Port InZeros => _ports[4];

    /// <summary>Zero points that go out.</summary>
    public Port OutZeros => _ports[5];

    /// <summary>What there is to dispose.</summary>
    public IEnumerable<IDisposable> Parts => [.. _ports, Stream];
}
