using System.Diagnostics;
using System.Globalization;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Devices;

/// <summary>How fast a GPU and the CPU quantize, each as a run would use it: the GPU with its copies, the CPU with all threads.</summary>
internal static class DeviceRates
{
    private const int Values = 1 << 23;
    private const int Blocksize = 64;
    private const int Rounds = 3;

    /// <returns>Source bytes per second, the best of a few rounds.</returns>
    public static (double Gpu, double Cpu) Measure(GpuSession session, KernelPath path, int threads)
    {
        byte[] source = new byte[Values * 2];
        new Random(1).NextBytes(source);
        // Exponents that bf16 weights have: nothing infinite, nothing of the rare cases.
        for (int i = 1; i < source.Length; i += 2) source[i] = (byte)((source[i] & 0x81) | 0x3c);
        return (Best(() => session.Quantize4(Code4Catalog.Nf4, ElementType.BF16, Blocksize, source, new float[Values / Blocksize], new byte[Values / 2])),
            Best(() => OnCpu(source, path, threads)));
    }

    public static string Text(double bytesPerSecond) => string.Create(CultureInfo.InvariantCulture, $"{bytesPerSecond / 1e9:F1} GB/s");

    private static void OnCpu(byte[] source, KernelPath path, int threads)
    {
        int piece = Values / threads / Blocksize * Blocksize;
        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, index =>
        {
            int count = index == threads - 1 ? Values - (piece * index) : piece;
            Quantize4.Run(
                Code4Catalog.Nf4, ElementType.BF16, Blocksize, source.AsSpan(piece * index * 2, count * 2),
                new float[(count + Blocksize - 1) / Blocksize], new byte[(count + 1) / 2], path);
        });
    }

    private static double Best(Action run)
    {
        run();
        double best = double.PositiveInfinity;
        for (int round = 0; round < Rounds; round++)
        {
            var watch = Stopwatch.StartNew();
            run();
            best = Math.Min(best, watch.Elapsed.TotalSeconds);
        }

        return Values * 2 / best;
    }
}
