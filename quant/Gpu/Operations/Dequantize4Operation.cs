using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="Dequantize4"/> on a device: the same bytes.</summary>
internal readonly unsafe ref struct Dequantize4Operation : IOperation
{
    private readonly Code4 _code;
    private readonly int _blocksize;
    private readonly ElementType _type;
    private readonly ReadOnlySpan<byte> _packed;
    private readonly ReadOnlySpan<float> _absmax;
    private readonly Span<byte> _destination;

    public Dequantize4Operation(
        Code4 code, int blocksize, ElementType type, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(code);
        Operands.CheckBlocks4(
            Operands.WholeValues(type, destination.Length, nameof(destination)), blocksize, packed.Length, absmax.Length);
        _code = code;
        _blocksize = blocksize;
        _type = type;
        _packed = packed;
        _absmax = absmax;
        _destination = destination;
    }

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<int> packed,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<Quad> destination,
        int units,
        int blockShift);

    public void Run(Workbench bench)
    {
        if (_destination.IsEmpty) return;
        int size = _type.Size(), blocksize = _blocksize;
        long count = _destination.Length / size, step = ChunkPipeline.Step(bench, size + 0.5 + 4.0 / blocksize, count);
        Action<AcceleratorStream, ArrayView<byte>, ArrayView<float>, ArrayView<byte>, long> kernel = Kernel(bench, _code, _type, blocksize);
        fixed (byte* values = _destination, codes = _packed)
        fixed (float* scales = _absmax)
        {
            bench.Pipeline.Run(
                (count + step - 1) / step,
                new Lane(codes, _packed.Length, step / 2),
                new Lane(scales, _absmax.Length * 4L, step / blocksize * 4),
                new Lane(values, _destination.Length, step * size),
                Lane.None,
                (slot, chunk) => kernel(
                    slot.Stream, slot.In.View, slot.InScales.View.Cast<float>(), slot.Out.View, Math.Min(step, count - chunk * step)));
        }
    }

    /// <summary>The kernel on a device: packed, absmax, destination and the number of values, all padded to units.</summary>
    public static Action<AcceleratorStream, ArrayView<byte>, ArrayView<float>, ArrayView<byte>, long> Kernel(
        Workbench bench, Code4 code, ElementType type, int blocksize)
    {
        var launch = bench.Kernels.Get<Launcher>(typeof(Dequantize4Kernel), KernelTypes.Of(type));
        ArrayView<float> map = bench.TablesOf(code).Values;
        int group = bench.UsualGroup, shift = int.Log2(blocksize);
        return (stream, packed, absmax, destination, count) =>
        {
            int units = Workbench.Groups(count, Dequantize4Kernel.Unit);
            launch(
                stream, (Workbench.Groups(units, group), group), packed.Cast<int>(), absmax, map, destination.Cast<Quad>(), units, shift);
        };
    }
}
