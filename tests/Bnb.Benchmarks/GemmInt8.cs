using System.Globalization;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;

namespace Bnb.Benchmarks;

/// <summary>The LLM.int8() product beside those with float32 and nf4 weights of the same shape, all in turn.</summary>
internal sealed class GemmInt8
{
    private const int N = 4096;
    private const int K = 4096;
    private const int Blocksize = 64;
    private const int Outliers = 24;
    private const float Threshold = 6;

    private readonly float[] _weights = new float[N * K];
    private readonly byte[] _packed = new byte[N * K / 2];
    private readonly float[] _absmax = new float[N * K / Blocksize];
    private readonly sbyte[] _codes = new sbyte[N * K];
    private readonly float[] _scb = new float[N];

    public GemmInt8()
    {
        var random = new Random(2);
        for (int i = 0; i < _weights.Length; i++) _weights[i] = random.NextSingle() - 0.5f;
        random.NextBytes(_packed);
        Array.Fill(_absmax, 0.5f);
        for (int i = 0; i < _codes.Length; i++) _codes[i] = (sbyte)random.Next(-127, 128);
        Array.Fill(_scb, 0.5f);
    }

    /// <summary>Appends the section of the report.</summary>
    public static void Report(int threads, int rounds, StringBuilder text)
    {
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"LLM.int8() with the same shape, one operation per multiplication or addition; bf16 activations, the time includes quantizing them; threshold {Threshold}, no outliers but where stated, {Outliers} columns there. products: vpmaddwd (AVX2, AVX-512), vpdpbusd (AVX-VNNI, 256 bits).");
        text.AppendLine();
        text.AppendLine("| rows of x | path | products | int8 GOP/s | int8 / sgemm | int8 / nf4 mixed | int8, codes GB/s | prepared GOP/s | prepared, outliers GOP/s |");
        text.AppendLine("|---:|---|---|---:|---:|---:|---:|---:|---:|");
        var problem = new GemmInt8();
        foreach (int m in (int[])[1, 8, 32, 128, 512]) problem.Measure(m, threads, rounds, text);
    }

    private void Measure(int m, int threads, int rounds, StringBuilder text)
    {
        float[] x = [.. _weights.AsSpan(0, m * K)];
        var plain = new byte[x.Length * 2];
        Narrow.FromSingle(ElementType.BF16, x, plain);
        Int8Activations prepared = Int8Activations.Prepare(m, K, ElementType.BF16, plain, Threshold);
        var stored = new byte[x.Length * 2];
        for (int o = 0; o < Outliers; o++) x[o * (K / Outliers)] = 2 * Threshold;
        Narrow.FromSingle(ElementType.BF16, x, stored);
        Int8Activations withOutliers = Int8Activations.Prepare(m, K, ElementType.BF16, stored, Threshold);
        var y = new float[m * N];

        foreach ((KernelPath path, bool vnni) in Ways())
        {
            double[] seconds = GemmReport.Best(
                rounds,
                () => Sgemm.Run(m, N, K, x, _weights, y, threads, path),
                () => MixedGemm4.Run(
                    m, N, K, ElementType.BF16, plain, Code4Catalog.Nf4, Blocksize, 0, _packed, _absmax, y, threads, path),
                () => Int8Gemm.Run(
                    Int8Activations.Prepare(m, K, ElementType.BF16, plain, Threshold, threads), N, _codes, _scb, y, threads, path, vnni),
                () => Int8Gemm.Run(prepared, N, _codes, _scb, y, threads, path, vnni),
                () => Int8Gemm.Run(withOutliers, N, _codes, _scb, y, threads, path, vnni));
            double operations = 2e-9 * m * N * K, int8 = seconds[2];
            string products = vnni ? "vpdpbusd" : "vpmaddwd";
            text.AppendLine(CultureInfo.InvariantCulture, $"| {m} | {path} | {products} | {operations / int8:F0} | {seconds[0] / int8:F2} | {seconds[1] / int8:F2} | {_codes.Length * 1e-9 / int8:F1} | {operations / seconds[3]:F0} | {operations / seconds[4]:F0} |");
        }
    }

    private static IEnumerable<(KernelPath Path, bool Vnni)> Ways()
    {
        foreach (KernelPath path in KernelPaths.Available)
        {
            if (path == KernelPath.Reference) continue;
            if (path != KernelPath.V128 && AvxVnni.IsSupported) yield return (path, true);
            yield return (path, false);
        }
    }
}
