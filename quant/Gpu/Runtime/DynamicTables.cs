using Bnb.Quant.Codes;
using Bnb.Quant.Gpu.Devices;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Runtime;

/// <summary>The tables of the dynamic 8-bit code on a device, and room for the map that a checkpoint brings.</summary>
internal sealed class DynamicTables(Accelerator accelerator) : IDisposable
{
    private readonly MemoryBuffer1D<float, Stride1D.Dense> _bounds = accelerator.Allocate1D(DynamicBuckets.BoundOfBucket.ToArray());
    private readonly MemoryBuffer1D<byte, Stride1D.Dense> _ranks = accelerator.Allocate1D(DynamicBuckets.CodeOfBucket.ToArray());
    private readonly MemoryBuffer1D<float, Stride1D.Dense> _values = accelerator.Allocate1D(DynamicCode8.Values.ToArray());
    private readonly MemoryBuffer1D<float, Stride1D.Dense> _map = accelerator.Allocate1D<float>(256);
    private readonly MemoryBuffer1D<float, Stride1D.Dense> _offset = accelerator.Allocate1D<float>(1);

    /// <summary><see cref="DynamicBuckets.BoundOfBucket"/>.</summary>
    public ArrayView<float> Bounds => _bounds.View;

    /// <summary><see cref="DynamicBuckets.CodeOfBucket"/>.</summary>
    public ArrayView<byte> Ranks => _ranks.View;

    /// <summary><see cref="DynamicCode8.Values"/>.</summary>
    public ArrayView<float> Values => _values.View;

    /// <summary>The 256 values that were loaded last.</summary>
    public ArrayView<float> Map => _map.View;

    /// <summary>The offset that was loaded last.</summary>
    public ArrayView<float> Offset => _offset.View;

    /// <summary>Loads an offset and waits.</summary>
    public void LoadOffset(float offset)
    {
        _offset.CopyFromCPU([offset]);
        accelerator.Synchronize();
    }

    /// <summary>Loads the 256 values of codes and waits.</summary>
    public void LoadMap(ReadOnlySpan<float> values)
    {
        _map.CopyFromCPU(values.ToArray());
        accelerator.Synchronize();
    }

    public void Dispose() => Closing.AttemptAll([_bounds.Dispose, _ranks.Dispose, _values.Dispose, _map.Dispose, _offset.Dispose]);
}
