using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu;

// 4-bit blocks.
internal sealed partial class IlgpuSession
{
    private delegate void DequantizeLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<int> packed,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<Quad> destination,
        int units,
        int blockShift);

    private delegate void QuantizeLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<Quad> source,
        ArrayView<Pair> packed,
        ArrayView<float> absmax,
        ArrayView<int> nonFinite,
        ArrayView<long> buckets,
        ArrayView<float> thresholds,
        int units,
        SpecializedValue<int> team);

    private protected override unsafe bool RunQuantize4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
    {
        if (source.IsEmpty) return true;
        int size = type.Size();
        long count = source.Length / size;
        long step = ChunkPipeline.Step(this, size + 0.5 + 4.0 / blocksize, count);
        QuantizeLauncher kernel = QuantizeKernel(code, type);
        (ArrayView<long> buckets, ArrayView<float> thresholds, _) = TablesOf(code);
        int team = blocksize / Quantize4Kernel.Unit, group = Math.Max(UsualGroup, team);
        _nonFinite.MemSetToZero();
        _accelerator.Synchronize();

        fixed (byte* values = source, codes = packed)
        fixed (float* scales = absmax)
        {
            _pipeline.Run(
                (count + step - 1) / step,
                new Lane(values, source.Length, step * size),
                Lane.None,
                new Lane(codes, packed.Length, step / 2),
                new Lane(scales, absmax.Length * 4L, step / blocksize * 4),
                (slot, chunk) =>
                {
                    int units = (int)((Math.Min(step, count - chunk * step) + Quantize4Kernel.Unit - 1) / Quantize4Kernel.Unit);
                    kernel(
                        slot.Stream,
                        (Groups(units, group), group),
                        slot.In.View.Cast<Quad>(),
                        slot.Out.View.Cast<Pair>(),
                        slot.OutScales.View.Cast<float>(),
                        _nonFinite.View,
                        buckets,
                        thresholds,
                        units,
                        SpecializedValue.New(team));
                });
        }

        return _nonFinite.GetAsArray1D()[0] == 0;
    }

    private protected override unsafe void RunDequantize4(
        Code4 code, int blocksize, ElementType type, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination)
    {
        if (destination.IsEmpty) return;
        int size = type.Size();
        long count = destination.Length / size;
        long step = ChunkPipeline.Step(this, size + 0.5 + 4.0 / blocksize, count);
        var kernel = _kernels.Get<DequantizeLauncher>(typeof(Dequantize4Kernel), StoredOf(type));
        ArrayView<float> map = TablesOf(code).Values;
        int shift = int.Log2(blocksize), group = UsualGroup;

        fixed (byte* values = destination, codes = packed)
        fixed (float* scales = absmax)
        {
            _pipeline.Run(
                (count + step - 1) / step,
                new Lane(codes, packed.Length, step / 2),
                new Lane(scales, absmax.Length * 4L, step / blocksize * 4),
                new Lane(values, destination.Length, step * size),
                Lane.None,
                (slot, chunk) =>
                {
                    int units = (int)((Math.Min(step, count - chunk * step) + Dequantize4Kernel.Unit - 1) / Dequantize4Kernel.Unit);
                    kernel(
                        slot.Stream,
                        (Groups(units, group), group),
                        slot.In.View.Cast<int>(),
                        slot.InScales.View.Cast<float>(),
                        map,
                        slot.Out.View.Cast<Quad>(),
                        units,
                        shift);
                });
        }
    }

    private QuantizeLauncher QuantizeKernel(Code4 code, ElementType type) => _kernels.Get<QuantizeLauncher>(
        typeof(Quantize4Kernel), StoredOf(type), RankedOf(code), HasShuffles ? typeof(ShuffleMax) : typeof(SharedMax));
}
