using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary>Starts the kernels of absmax that are on the device: their mean, and their quantization. Nothing waits.</summary>
internal static class NestedLaunch
{
    private const int MeanThreads = 256;

    private delegate void BinsLauncher(
        AcceleratorStream stream, KernelConfig config, ArrayView<float> absmax, ArrayView<int> partial, int count);

    private delegate void MeanLauncher(
        AcceleratorStream stream, KernelConfig config, ArrayView<int> partial, int parts, int count, ArrayView<float> mean);

    private delegate void QuantizeLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<float> source,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> bounds,
        ArrayView<byte> ranks,
        ArrayView<float> offset,
        int count,
        int blocksize);

    /// <summary>Words that <see cref="Mean"/> needs for so many values.</summary>
    public static long PartialWords(long count) => (count + AbsmaxBinsKernel.Part - 1) / AbsmaxBinsKernel.Part * AbsmaxBinsKernel.Words;

    /// <summary>mean[0] = the mean of so many absmax, not none.</summary>
    public static void Mean(
        Workbench bench, AcceleratorStream stream, ArrayView<float> absmax, int count, ArrayView<int> partial, ArrayView<float> mean)
    {
        int parts = Workbench.Groups(count, AbsmaxBinsKernel.Part), group = Math.Min(bench.UsualGroup, MeanThreads);
        bench.Kernels.Get<BinsLauncher>(typeof(AbsmaxBinsKernel))(stream, (parts, group), absmax, partial, count);
        bench.Kernels.Get<MeanLauncher>(typeof(ExactMeanKernel))(stream, (1, group), partial, parts, count, mean);
    }

    /// <summary>8-bit codes of values less offset[0], and the absmax of their blocks.</summary>
    public static void Quantize(
        Workbench bench,
        AcceleratorStream stream,
        ArrayView<float> source,
        ArrayView<float> offset,
        int blocksize,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        int count)
    {
        int group = Math.Min(Math.Min(bench.UsualGroup, Quantize8Kernel.LargestGroup), blocksize);
        bench.Kernels.Get<QuantizeLauncher>(typeof(Quantize8Kernel))(
            stream,
            (Workbench.Groups(count, blocksize), group),
            source,
            codes,
            absmax,
            bench.Dynamic.Bounds,
            bench.Dynamic.Ranks,
            offset,
            count,
            blocksize);
    }
}
