using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu;

// 8-bit blocks and nested absmax.
internal sealed partial class IlgpuSession
{
    private delegate void DequantizeLauncher8(
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

    private delegate void QuantizeLauncher8(
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

    private delegate void SumsLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<float> absmax,
        ArrayView<double> sums,
        int count);

    private protected override unsafe void RunQuantize8(
        ReadOnlySpan<float> source, float offset, int blocksize, Span<byte> codes, Span<float> absmax)
    {
        if (source.IsEmpty) return;
        long count = source.Length;
        long step = StepOf8(count, blocksize);
        var kernel = _kernels.Get<QuantizeLauncher8>(typeof(Quantize8Kernel));
        int group = Math.Min(Math.Min(UsualGroup, Quantize8Kernel.LargestGroup), blocksize);

        fixed (float* values = source, scales = absmax)
        fixed (byte* bytes = codes)
        {
            _pipeline.Run(
                (count + step - 1) / step,
                new Lane(values, count * 4, step * 4),
                Lane.None,
                new Lane(bytes, count, step),
                new Lane(scales, absmax.Length * 4L, step / blocksize * 4),
                (slot, chunk) =>
                {
                    int part = (int)Math.Min(step, count - chunk * step);
                    kernel(
                        slot.Stream,
                        (Groups(part, blocksize), group),
                        slot.In.View.Cast<float>(),
                        slot.Out.View,
                        slot.OutScales.View.Cast<float>(),
                        _dynamicBounds.View,
                        _dynamicRanks.View,
                        offset,
                        part,
                        blocksize);
                });
        }
    }

    private protected override unsafe void RunDequantize8(
        ReadOnlySpan<byte> codes,
        ReadOnlySpan<float> map,
        int blocksize,
        ReadOnlySpan<float> absmax,
        float? offset,
        Span<float> destination)
    {
        if (destination.IsEmpty) return;
        long count = destination.Length;
        long step = StepOf8(count, blocksize);
        var kernel = _kernels.Get<DequantizeLauncher8>(typeof(Dequantize8Kernel));
        int shift = int.Log2(blocksize), group = UsualGroup;
        _map.CopyFromCPU(map.ToArray());
        _accelerator.Synchronize();

        fixed (float* values = destination, scales = absmax)
        fixed (byte* bytes = codes)
        {
            _pipeline.Run(
                (count + step - 1) / step,
                new Lane(bytes, count, step),
                new Lane(scales, absmax.Length * 4L, step / blocksize * 4),
                new Lane(values, count * 4, step * 4),
                Lane.None,
                (slot, chunk) =>
                {
                    int part = (int)Math.Min(step, count - chunk * step);
                    kernel(
                        slot.Stream,
                        (Groups(part, group), group),
                        slot.In.View,
                        slot.InScales.View.Cast<float>(),
                        _map.View,
                        slot.Out.View.Cast<float>(),
                        offset ?? 0f,
                        offset is null ? 0 : 1,
                        0,
                        part,
                        shift);
                });
        }
    }

    private protected override unsafe void RunBlockSums(ReadOnlySpan<float> absmax, Span<double> sums)
    {
        if (absmax.IsEmpty) return;
        if (!HasFloat64)
        {
            AbsmaxMean.BlockSums(absmax, sums);
            return;
        }

        long count = absmax.Length;
        long step = StepOf8(count, NestedAbsmax.Blocksize);
        var kernel = _kernels.Get<SumsLauncher>(typeof(BlockSumsKernel));
        int group = Math.Min(UsualGroup, 64);

        fixed (float* values = absmax)
        fixed (double* partial = sums)
        {
            _pipeline.Run(
                (count + step - 1) / step,
                new Lane(values, count * 4, step * 4),
                Lane.None,
                new Lane(partial, sums.Length * 8L, step / NestedAbsmax.Blocksize * 8),
                Lane.None,
                (slot, chunk) =>
                {
                    int part = (int)Math.Min(step, count - chunk * step);
                    kernel(
                        slot.Stream,
                        (Groups(BlockGrid.BlockCount(part, NestedAbsmax.Blocksize), group), group),
                        slot.In.View.Cast<float>(),
                        slot.Out.View.Cast<double>(),
                        part);
                });
        }
    }

    private bool HasFloat64 => _accelerator is not ILGPU.Runtime.OpenCL.CLAccelerator { Capabilities.Float64: false };

    private long StepOf8(long count, int blocksize) => ChunkPipeline.Step(this, 4 + 1 + 4.0 / blocksize, count);
}
