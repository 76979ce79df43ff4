using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="Blockwise8.Quantize"/> of values less an offset, as nested absmax are quantized, on a device: the same
/// bytes.</summary>
internal readonly unsafe ref struct Quantize8Operation : IOperation
{
    private readonly ReadOnlySpan<float> _source;
    private readonly float _offset;
    private readonly int _blocksize;
    private readonly Span<byte> _codes;
    private readonly Span<float> _absmax;

    public Quantize8Operation(ReadOnlySpan<float> source, float offset, int blocksize, Span<byte> codes, Span<float> absmax)
    {
        Operands.CheckBlocks8(source.Length, blocksize, codes.Length, absmax.Length);
        _source = source;
        _offset = offset;
        _blocksize = blocksize;
        _codes = codes;
        _absmax = absmax;
    }

    public void Run(Workbench bench)
    {
        if (_source.IsEmpty) return;
        int blocksize = _blocksize;
        long count = _source.Length, step = ChunkPipeline.Step(bench, 4 + 1 + 4.0 / blocksize, count);
        DynamicTables tables = bench.Dynamic;
        tables.LoadOffset(_offset);
        fixed (float* values = _source, scales = _absmax)
        fixed (byte* bytes = _codes)
        {
            bench.Pipeline.Run(
                (count + step - 1) / step,
                new Lane(values, count * 4, step * 4),
                Lane.None,
                new Lane(bytes, count, step),
                new Lane(scales, _absmax.Length * 4L, step / blocksize * 4),
                (slot, chunk) => NestedLaunch.Quantize(
                    bench,
                    slot.Stream,
                    slot.In.View.Cast<float>(),
                    tables.Offset,
                    blocksize,
                    slot.Out.View,
                    slot.OutScales.View.Cast<float>(),
                    (int)Math.Min(step, count - chunk * step)));
        }
    }
}
