using System.Diagnostics;
using System.Globalization;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Engine.Devices;

/// <summary>How fast a GPU and the CPU quantize, each as a run would use it: the GPU with its copies, the CPU with all threads.</summary>
internal static class DeviceRates
{
    private const int Values = 1 << 23;
    private const int SearchedValues = 1 << 21;
    private const int Blocksize = 64;
    private const int Rounds = 3;

    private delegate void Quantizer(ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed);

    /// <returns>Source bytes per second, the best of a few rounds.</returns>
    public static (double Gpu, double Cpu) Measure(GpuSession session, KernelPath path, int threads) => Measure(
        Values,
        threads,
        (source, absmax, packed) => session.Quantize4(Code4Catalog.Nf4, ElementType.BF16, Blocksize, source, absmax, packed),
        (source, absmax, packed) => Quantize4.Run(Code4Catalog.Nf4, ElementType.BF16, Blocksize, source, absmax, packed, path));

    /// <summary>The same with searched scales.</summary>
    public static (double Gpu, double Cpu) MeasureSearch(GpuSession session, KernelPath path, int threads) => Measure(
        SearchedValues,
        threads,
        (source, absmax, packed) => session.SearchBlocks4(Code4Catalog.Nf4, ElementType.BF16, Blocksize, source, default, absmax, packed),
        (source, absmax, packed) => SearchBlocks4.Run(Code4Catalog.Nf4, ElementType.BF16, Blocksize, source, default, absmax, packed, path));

    public static string Text(double bytesPerSecond) => string.Create(CultureInfo.InvariantCulture, $"{bytesPerSecond / 1e9:F1} GB/s");

    private static (double Gpu, double Cpu) Measure(int values, int threads, Quantizer onGpu, Quantizer onCpu)
    {
        byte[] source = new byte[values * 2];
        new Random(1).NextBytes(source);
        // Exponents that bf16 weights have: nothing infinite, nothing of the rare cases.
        for (int i = 1; i < source.Length; i += 2) source[i] = (byte)((source[i] & 0x81) | 0x3c);
        return (Best(source.Length, () => onGpu(source, new float[values / Blocksize], new byte[values / 2])),
            Best(source.Length, () => OnAllThreads(source, threads, onCpu)));
    }

    private static void OnAllThreads(byte[] source, int threads, Quantizer quantize)
    {
        int values = source.Length / 2, piece = values / threads / Blocksize * Blocksize;
        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, index =>
        {
            int count = index == threads - 1 ? values - (piece * index) : piece;
            quantize(source.AsSpan(piece * index * 2, count * 2), new float[(count + Blocksize - 1) / Blocksize], new byte[(count + 1) / 2]);
        });
    }

    private static double Best(int bytes, Action run)
    {
        run();
        double best = double.PositiveInfinity;
        for (int round = 0; round < Rounds; round++)
        {
            var watch = Stopwatch.StartNew();
            run();
            best = Math.Min(best, watch.Elapsed.TotalSeconds);
        }

        return bytes / best;
    }
}
