using System.Diagnostics;
using System.Globalization;
using System.Text;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Benchmarks;

/// <summary>
/// Matrix products beside OpenBLAS, and dequantization beside a copy. Everything that is compared runs in turn, round after
/// round, and the best round of each counts: on a shared machine the others tell about the neighbours.
/// </summary>
internal static class GemmReport
{
    private const int N = 4096;
    private const int K = 4096;
    private const int Blocksize = 64;

    public static int Run(string[] arguments)
    {
        int rounds = arguments is [var count, ..] ? int.Parse(count, CultureInfo.InvariantCulture) : 15;
        int threads = Environment.ProcessorCount;
        var text = new StringBuilder(Machine.Header("Matrix products"));
        text.AppendLine(CultureInfo.InvariantCulture, $"y = x w^T with w [{N}, {K}]; {threads} threads, best of {rounds} rounds in turn. mixed: bf16 activations, nf4 weights in blocks of {Blocksize}. OpenBLAS: {OpenBlas.Description}.");
        text.AppendLine();
        text.AppendLine("| rows of x | path | sgemm GFLOP/s | of OpenBLAS | mixed GFLOP/s | mixed / sgemm | mixed, packed GB/s | sgemm, weights GB/s |");
        text.AppendLine("|---:|---|---:|---:|---:|---:|---:|---:|");
        var problem = new Problem();
        foreach (int m in (int[])[1, 8, 32, 128, 512]) problem.Measure(m, threads, rounds, text);
        text.AppendLine();
        text.AppendLine("mixed / sgemm above 1: faster than with float32 weights. packed GB/s: codes and absmax read.");
        GemmInt8.Report(threads, rounds, text);
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"Dequantization of {N * K / (1 << 20)} Mi nf4 values in blocks of {Blocksize} on one core, GB/s written; fill is Span.Fill of the same bytes.");
        text.AppendLine();
        text.AppendLine("| path | f32 | of fill | bf16 | of fill | f16 | of fill |");
        text.AppendLine("|---|---:|---:|---:|---:|---:|---:|");
        foreach (KernelPath path in KernelPaths.Available) text.AppendLine(problem.Dequantize(path, rounds));
        Machine.Save("gemm.md", text.ToString());
        return 0;
    }

    /// <summary>Seconds of the best round of each, run in turn.</summary>
    public static double[] Best(int rounds, params Action[] actions)
    {
        var best = new double[actions.Length];
        Array.Fill(best, double.PositiveInfinity);
        for (int round = -1; round < rounds; round++)
        {
            for (int i = 0; i < actions.Length; i++)
            {
                long start = Stopwatch.GetTimestamp();
                actions[i]();
                // The first round warms caches and page tables.
                if (round >= 0) best[i] = Math.Min(best[i], Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        }

        return best;
    }

    private sealed class Problem
    {
        private readonly float[] _weights = new float[N * K];
        private readonly byte[] _packed = new byte[N * K / 2];
        private readonly float[] _absmax = new float[N * K / Blocksize];

        public Problem()
        {
            var random = new Random(1);
            for (int i = 0; i < _weights.Length; i++) _weights[i] = random.NextSingle() - 0.5f;
            random.NextBytes(_packed);
            for (int i = 0; i < _absmax.Length; i++) _absmax[i] = 0.01f + random.NextSingle();
        }

        public void Measure(int m, int threads, int rounds, StringBuilder text)
        {
            float[] x = [.. _weights.AsSpan(0, m * K)];
            var stored = new byte[x.Length * 2];
            Narrow.FromSingle(ElementType.BF16, x, stored);
            var y = new float[m * N];
            KernelPath[] paths = [.. KernelPaths.Available.Where(path => path != KernelPath.Reference)];
            var actions = new List<Action> { () => OpenBlas.Sgemm(m, N, K, x, _weights, y, threads) };
            foreach (KernelPath path in paths)
            {
                actions.Add(() => Sgemm.Run(m, N, K, x, _weights, y, threads, path));
                actions.Add(() => MixedGemm4.Run(
                    m, N, K, ElementType.BF16, stored, Code4Catalog.Nf4, Blocksize, 0, _packed, _absmax, y, threads, path));
            }

            double[] seconds = Best(rounds, [.. actions]);
            double gigaflops = 2e-9 * m * N * K;
            if (OpenBlas.IsAvailable)
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"| {m} | OpenBLAS | {gigaflops / seconds[0]:F0} | 100 % | | | | {_weights.Length * 4e-9 / seconds[0]:F1} |");
            }

            for (int i = 0; i < paths.Length; i++)
            {
                double single = seconds[1 + 2 * i], mixed = seconds[2 + 2 * i];
                string share = OpenBlas.IsAvailable ? (seconds[0] / single).ToString("P0", CultureInfo.InvariantCulture) : "absent";
                text.AppendLine(CultureInfo.InvariantCulture, $"| {m} | {paths[i]} | {gigaflops / single:F0} | {share} | {gigaflops / mixed:F0} | {single / mixed:F2} | {(_packed.Length + 4.0 * _absmax.Length) * 1e-9 / mixed:F1} | {_weights.Length * 4e-9 / single:F1} |");
            }
        }

        public string Dequantize(KernelPath path, int rounds)
        {
            if (path == KernelPath.Reference) rounds = Math.Min(rounds, 3);
            var row = new StringBuilder($"| {path} |");
            foreach (ElementType type in (ElementType[])[ElementType.F32, ElementType.BF16, ElementType.F16])
            {
                var destination = new byte[N * K * type.Size()];
                double[] seconds = Best(
                    rounds,
                    () => destination.AsSpan().Fill(1),
                    () => Dequantize4.Run(Code4Catalog.Nf4, Blocksize, type, _packed, _absmax, destination, path));
                row.Append(CultureInfo.InvariantCulture, $" {destination.Length * 1e-9 / seconds[1]:F1} | {seconds[0] / seconds[1]:P0} |");
            }

            return row.ToString();
        }
    }
}
