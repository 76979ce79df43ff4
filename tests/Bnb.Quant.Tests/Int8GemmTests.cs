using System.Runtime.Intrinsics;
using Bnb.Quant.Backends;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>Every path of the LLM.int8() product: the same integer sums, and within the bound of the yardstick.</summary>
public class Int8GemmTests
{
    // Around every tile: rows of x by dot products (up to 6), 8, 16 and 32, rows of w by 4, 6, 12 and chunks of 96, columns by
    // words of 2 and 4, vectors of up to 128 and runs of 512 and 1024.
    public static TheoryData<int, int, int> Shapes() => new()
    {
        { 1, 1, 1 }, { 1, 97, 127 }, { 1, 5, 4097 }, { 2, 65, 131 }, { 3, 13, 257 }, { 4, 7, 1025 },
        { 5, 1, 1 }, { 5, 3, 3 }, { 7, 95, 255 }, { 8, 96, 512 }, { 9, 97, 513 }, { 16, 12, 64 }, { 17, 11, 1023 },
        { 31, 25, 31 }, { 32, 193, 1024 }, { 33, 2, 2050 }, { 513, 7, 40 }, { 64, 200, 5 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_WithoutOutliers_IsTheDefinitionToTheBit(int m, int n, int k)
    {
        foreach (ElementType type in Kernels.Types)
        {
            var problem = new Int8GemmProblem(type, m, n, k, FloatPalette.Normals(m + k, m * k, 3), n + k);
            float[] expected = Definition(problem);
            foreach ((KernelPath Path, bool Vnni) way in Int8GemmProblem.Ways())
            {
                Int8GemmProblem.AssertSame(expected, problem.Run(way, threshold: 0), $"{type} {way}");
            }

            Assert.True(problem.Yardstick(threshold: 0)(expected) <= 1);
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_WithOutliers_IsWithinTheBound(int m, int n, int k)
    {
        foreach (ElementType type in Kernels.Types)
        {
            // All columns, many, few (fewer than a vector), perhaps none.
            foreach (int step in (int[])[1, 3, 100, 1000])
            {
                float[] x = Int8GemmProblem.Activations(m + step, m, k, step);
                AssertWithinBound(new Int8GemmProblem(type, m, n, k, x, k), $"{type} step {step}");
            }
        }
    }

    [Fact]
    public void Run_RandomShapes_AreWithinTheBound()
    {
        var random = new Random(78);
        for (int round = 0; round < 40; round++)
        {
            int m = random.Next(1, 70), n = random.Next(1, 150), k = random.Next(1, 1500);
            float[] x = Int8GemmProblem.Activations(round, m, k, random.Next(0, 200));
            AssertWithinBound(new Int8GemmProblem(Kernels.Types[round % 3], m, n, k, x, round), $"[{m},{n},{k}]");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public void Run_SumsBeyondAnInt32_AreExact(int m)
    {
        // The largest products there are, up to the stretch that fits an int32, one beyond, and over two stretches.
        foreach (int k in (int[])[Int8GemmDriver.StretchColumns, Int8GemmDriver.StretchColumns + 1, 270_001])
        {
            float[] x = [.. Enumerable.Range(0, m * k).Select(i => i / k % 2 == 0 ? 1f : -1f)];
            var problem = new Int8GemmProblem(ElementType.F16, m, 2, k, x, 3);
            Array.Fill(problem.Codes, (sbyte)-128);
            problem.Codes.AsSpan(k, k / 2).Fill(127);
            problem.Scb.AsSpan().Fill(1);
            float[] expected = Definition(problem);
            Assert.Equal((float)(-128L * 127 * k) * Int8Job.InverseSquare, expected[0]);
            foreach ((KernelPath Path, bool Vnni) way in Int8GemmProblem.Ways())
            {
                Int8GemmProblem.AssertSame(expected, problem.Run(way, threshold: 0), $"{k} {way}");
            }
        }
    }

    [Fact]
    public void Run_RowsOfZerosAndOfOutliers_AreTheOutliersPart()
    {
        const int M = 6, N = 20, K = 77;
        float[] x = Int8GemmProblem.Activations(4, M, K, 0);
        x.AsSpan(0, K).Clear();
        x.AsSpan(K, K).Fill(7);
        var problem = new Int8GemmProblem(ElementType.BF16, M, N, K, x, 4);
        AssertWithinBound(problem, "all columns");
        foreach ((KernelPath Path, bool Vnni) way in Int8GemmProblem.Ways())
        {
            Assert.All(problem.Run(way)[..N], value => Assert.Equal(0f, value));
        }
    }

    [Theory]
    [InlineData(1, 301, 4500)]
    [InlineData(3, 301, 700)]
    [InlineData(37, 301, 1600)]
    [InlineData(520, 100, 40)]
    public void Run_AnyNumberOfThreads_GivesTheSameBits(int m, int n, int k)
    {
        float[] x = Int8GemmProblem.Activations(m, m, k, 20);
        var problem = new Int8GemmProblem(ElementType.BF16, m, n, k, x, 8);
        foreach ((KernelPath Path, bool Vnni) way in Int8GemmProblem.Ways())
        {
            float[] one = problem.Run(way, threads: 1);
            foreach (int threads in (int[])[2, 3, 16]) Int8GemmProblem.AssertSame(one, problem.Run(way, threads: threads), $"{way}");
        }
    }

    [Fact]
    public void Run_QuantizedWeights_IsNearTheProductOfTheOriginals()
    {
        // What the scheme is for: the yardstick shares its definition with the kernels, this does not.
        const int M = 20, N = 30, K = 1024;
        float[] x = Int8GemmProblem.Activations(11, M, K, 64), w = FloatPalette.Normals(12, N * K, 0.02f);
        var problem = new Int8GemmProblem(ElementType.BF16, M, N, K, x, 0);
        Widen.ToSingle(ElementType.BF16, problem.X, x);
        Int8Activations weights = Int8Activations.Prepare(N, K, ElementType.F16, Kernels.Store(ElementType.F16, w), 0);
        weights.Codes.CopyTo(problem.Codes);
        weights.Scales.CopyTo(problem.Scb);
        double[] exact = new double[M * N], magnitudes = new double[M * N];
        ReferenceGemm.Run(M, N, K, x, w, exact, magnitudes);
        foreach ((float threshold, double limit) in ((float, double)[])[(6, 0.015), (0, 0.25)])
        {
            float[] y = problem.Run((KernelPaths.Selected, false), threshold);
            double error = y.Zip(exact, (a, b) => (a - b) * (a - b)).Sum(), size = exact.Sum(b => b * b);
            // Without threshold the outliers stretch their rows' scales tenfold.
            Assert.InRange(Math.Sqrt(error / size), limit / 10, limit);
        }
    }

    [Fact]
    public void Bound_WrongKernels_AreNoticed()
    {
        const int M = 4, N = 20, K = 2048;
        var problem = new Int8GemmProblem(ElementType.BF16, M, N, K, Int8GemmProblem.Activations(13, M, K, 128), 13);
        float[] y = problem.Run((KernelPaths.Selected, false));
        Assert.True(problem.Yardstick()(y) <= 1);
        Assert.True(problem.Yardstick()([.. y.Select(value => value * 1.00005f)]) > 1);
        // Other than upstream's: weights of outlier columns rounded to float16, one weight code off by one.
        var rounded = new Int8GemmProblem(ElementType.F16, M, N, K, Int8GemmProblem.Activations(13, M, K, 128), 13);
        problem.Codes[5 * K + 7] ^= 1;
        Assert.True(problem.Yardstick()(y) > 1);
        Assert.True(problem.Yardstick()(rounded.Run((KernelPaths.Selected, false))) > 1);
    }

    [Fact]
    public void MultiplyPortable_AnyWords_IsThePairwiseProduct()
    {
        var random = new Random(1);
        for (int round = 0; round < 1000; round++)
        {
            int[] w = [.. Enumerable.Range(0, 4).Select(_ => Word())], x = [.. Enumerable.Range(0, 4).Select(_ => Word())];
            Vector128<int> product = Int8Tile128.MultiplyPortable(Vector128.Create(w), Vector128.Create(x));
            for (int i = 0; i < 4; i++) Assert.Equal((short)w[i] * (short)x[i] + (w[i] >> 16) * (x[i] >> 16), product[i]);
        }

        int Word() => (ushort)(short)random.Next(-128, 128) | (random.Next(-128, 128) << 16);
    }

    private static void AssertWithinBound(Int8GemmProblem problem, string what)
    {
        Func<float[], double> yardstick = problem.Yardstick();
        foreach ((KernelPath Path, bool Vnni) way in Int8GemmProblem.Ways())
        {
            double worst = yardstick(problem.Run(way));
            Assert.True(worst <= 1, $"[{problem.M},{problem.N},{problem.K}] {what} on {way}: {worst} times the bound");
        }
    }

    /// <summary>The product without outliers, written out.</summary>
    private static float[] Definition(Int8GemmProblem problem)
    {
        Int8Activations x = problem.Prepare(threshold: 0);
        var y = new float[problem.M * problem.N];
        for (int at = 0; at < y.Length; at++)
        {
            int i = at / problem.N, j = at % problem.N;
            long sum = 0;
            for (int p = 0; p < problem.K; p++) sum += x.Codes[i * problem.K + p] * problem.Codes[j * problem.K + p];
            float scaled = (float)sum * x.Scales[i];
            scaled *= problem.Scb[j];
            y[at] = scaled * (float)(1 / (127.0 * 127.0));
        }

        return y;
    }
}
