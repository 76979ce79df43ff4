using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="Blockwise8.Dequantize"/>, and with an offset nested absmax, on a device: the same bits.</summary>
internal readonly unsafe ref struct Dequantize8Operation : IOperation
{
    private readonly ReadOnlySpan<byte> _codes;
    private readonly ReadOnlySpan<float> _map;
    private readonly int _blocksize;
    private readonly ReadOnlySpan<float> _absmax;
    private readonly float? _offset;
    private readonly Span<float> _destination;

    /// <param name="offset">Without one nothing is added, which is not the same as adding 0 to -0.</param>
    public Dequantize8Operation(
        ReadOnlySpan<byte> codes,
        ReadOnlySpan<float> map,
        int blocksize,
        ReadOnlySpan<float> absmax,
        float? offset,
        Span<float> destination)
    {
        Operands.CheckBlocks8(destination.Length, blocksize, codes.Length, absmax.Length);
        BlockGrid.CheckLength(nameof(map), DynamicCode8.Values.Length, map.Length);
        _codes = codes;
        _map = map;
        _blocksize = blocksize;
        _absmax = absmax;
        _offset = offset;
        _destination = destination;
    }

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<float> destination,
        float offset,
        int hasOffset,
        int zero,
        int count,
        int blockShift);

    public void Run(Workbench bench)
    {
        if (_destination.IsEmpty) return;
        int blocksize = _blocksize, shift = int.Log2(blocksize), group = bench.UsualGroup;
        float? offset = _offset;
        long count = _destination.Length, step = ChunkPipeline.Step(bench, 4 + 1 + 4.0 / blocksize, count);
        var kernel = bench.Kernels.Get<Launcher>(typeof(Dequantize8Kernel));
        DynamicTables tables = bench.Dynamic;
        tables.LoadMap(_map);
        fixed (float* values = _destination, scales = _absmax)
        fixed (byte* bytes = _codes)
        {
            bench.Pipeline.Run(
                (count + step - 1) / step,
                new Lane(bytes, count, step),
                new Lane(scales, _absmax.Length * 4L, step / blocksize * 4),
                new Lane(values, count * 4, step * 4),
                Lane.None,
                (slot, chunk) =>
                {
                    int part = (int)Math.Min(step, count - chunk * step);
                    kernel(
                        slot.Stream,
                        (Workbench.Groups(part, group), group),
                        slot.In.View,
                        slot.InScales.View.Cast<float>(),
                        tables.Map,
                        slot.Out.View.Cast<float>(),
                        offset ?? 0f,
                        offset is null ? 0 : 1,
                        0,
                        part,
                        shift);
                });
        }
    }
}
