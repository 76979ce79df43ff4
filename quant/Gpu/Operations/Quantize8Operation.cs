using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using ILGPU;
using ILGPU.Runtime;

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

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<float> source,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> bounds,
        ArrayView<byte> ranks,
        float offset,
        int count,
        int blocksize);

    public void Run(Workbench bench)
    {
        if (_source.IsEmpty) return;
        int blocksize = _blocksize;
        float offset = _offset;
        long count = _source.Length, step = ChunkPipeline.Step(bench, 4 + 1 + 4.0 / blocksize, count);
        var kernel = bench.Kernels.Get<Launcher>(typeof(Quantize8Kernel));
        DynamicTables tables = bench.Dynamic;
        int group = Math.Min(Math.Min(bench.UsualGroup, Quantize8Kernel.LargestGroup), blocksize);
        fixed (float* values = _source, scales = _absmax)
        fixed (byte* bytes = _codes)
        {
            bench.Pipeline.Run(
                (count + step - 1) / step,
                new Lane(values, count * 4, step * 4),
                Lane.None,
                new Lane(bytes, count, step),
                new Lane(scales, _absmax.Length * 4L, step / blocksize * 4),
                (slot, chunk) =>
                {
                    int part = (int)Math.Min(step, count - chunk * step);
                    kernel(
                        slot.Stream,
                        (Workbench.Groups(part, blocksize), group),
                        slot.In.View.Cast<float>(),
                        slot.Out.View,
                        slot.OutScales.View.Cast<float>(),
                        tables.Bounds,
                        tables.Ranks,
                        offset,
                        part,
                        blocksize);
                });
        }
    }
}
