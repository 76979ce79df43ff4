using Bnb.Quant.Backends;
using Bnb.Quant.Gemm;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>Every path of the float32 product against the yardstick, within the bound derived in docs/numerics.md.</summary>
public class GemmTests
{
    // Around every tile: rows of x by 1, 8, 16 and 32, rows of w by 1, 6 and 12 and chunks of 96, columns by runs of 256.
    public static TheoryData<int, int, int> Shapes() => new()
    {
        { 1, 1, 1 }, { 1, 1, 63 }, { 1, 97, 300 }, { 1, 5, 4097 }, { 1, 130, 8200 },
        { 2, 3, 5 }, { 3, 13, 257 }, { 7, 95, 255 }, { 8, 96, 256 }, { 9, 97, 513 },
        { 16, 12, 64 }, { 17, 11, 100 }, { 31, 25, 31 }, { 32, 193, 512 }, { 33, 1, 1000 },
        { 513, 7, 40 }, { 64, 200, 3 }, { 5, 6, 7000 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Sgemm_AnyShape_IsWithinTheBound(int m, int n, int k)
    {
        float[] x = FloatPalette.Normals(m * 7 + k, m * k), w = FloatPalette.Normals(n * 3 + k, n * k, 0.02f);
        foreach (KernelPath path in KernelPaths.Available)
        {
            var y = new float[m * n];
            Array.Fill(y, float.NaN);
            Sgemm.Run(m, n, k, x, w, y, 2, path);
            GemmCheck.AssertWithinBound(m, n, k, x, w, y, $"{path}");
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Sgemm_RearrangedBefore_GivesTheSameBits(int m, int n, int k)
    {
        float[] x = FloatPalette.Normals(m * 7 + k, m * k), w = FloatPalette.Normals(n * 3 + k, n * k, 0.02f);
        foreach (KernelPath path in KernelPaths.Available)
        {
            float[] expected = new float[m * n], y = new float[m * n];
            Sgemm.Run(m, n, k, x, w, expected, 1, path);
            Sgemm.Run(new SgemmInput(m, k, x, path), n, w, y, 2);
            Assert.True(expected.AsSpan().SequenceEqual(y), $"{path}");
        }
    }

    [Fact]
    public void Reference_RowsSideBySide_AreThoseOfOneAtATime()
    {
        const int M = 7, N = 3, K = 301;
        float[] x = FloatPalette.Normals(1, M * K), w = FloatPalette.Normals(2, N * K);
        double[] y = new double[M * N], magnitudes = new double[M * N], one = new double[1], size = new double[1];
        ReferenceGemm.Run(M, N, K, x, w, y, magnitudes);
        for (int i = 0; i < M; i++)
        {
            for (int j = 0; j < N; j++)
            {
                ReferenceGemm.Run(1, 1, K, x.AsSpan(i * K, K), w.AsSpan(j * K, K), one, size);
                Assert.Equal((one[0], size[0]), (y[(i * N) + j], magnitudes[(i * N) + j]));
            }
        }
    }

    [Fact]
    public void Sgemm_RandomShapes_AreWithinTheBound()
    {
        var random = new Random(77);
        for (int round = 0; round < 40; round++)
        {
            int m = random.Next(1, 70), n = random.Next(1, 150), k = random.Next(1, 700);
            Sgemm_AnyShape_IsWithinTheBound(m, n, k);
        }
    }

    [Theory]
    [InlineData(0, 3, 4)]
    [InlineData(3, 0, 4)]
    [InlineData(3, 4, 0)]
    [InlineData(1, 4, 0)]
    [InlineData(0, 0, 0)]
    public void Sgemm_EmptyDimension_GivesZerosOrNothing(int m, int n, int k)
    {
        foreach (KernelPath path in KernelPaths.Available)
        {
            float[] y = [.. Enumerable.Repeat(5f, m * n)];
            Sgemm.Run(m, n, k, new float[m * k], new float[n * k], y, 1, path);
            Assert.All(y, value => Assert.Equal(0f, value));
        }
    }

    [Theory]
    [InlineData(1, 301, 4500)]
    [InlineData(37, 301, 600)]
    [InlineData(520, 100, 40)]
    public void Sgemm_AnyNumberOfThreads_GivesTheSameBits(int m, int n, int k)
    {
        float[] x = FloatPalette.Normals(5, m * k), w = FloatPalette.Normals(6, n * k);
        foreach (KernelPath path in KernelPaths.Available)
        {
            var one = new float[m * n];
            Sgemm.Run(m, n, k, x, w, one, 1, path);
            foreach (int threads in (int[])[2, 3, 16])
            {
                var many = new float[m * n];
                Sgemm.Run(m, n, k, x, w, many, threads, path);
                Assert.Equal(one, many);
            }
        }
    }

    [Fact]
    public void Sgemm_SmallIntegers_IsExact()
    {
        // All sums are integers below 2^24, so every order of addition gives the same.
        const int M = 19, N = 53, K = 601;
        float[] x = [.. Enumerable.Range(0, M * K).Select(i => (float)(i * 7 % 23 - 11))];
        float[] w = [.. Enumerable.Range(0, N * K).Select(i => (float)(i * 5 % 31 - 15))];
        var expected = new float[M * N];
        ReferenceGemm.Run(M, N, K, x, w, expected);
        foreach (KernelPath path in KernelPaths.Available)
        {
            var y = new float[M * N];
            Sgemm.Run(M, N, K, x, w, y, 2, path);
            Assert.Equal(expected, y);
        }
    }

    [Fact]
    public void Sgemm_NonFiniteInput_StaysInItsRowAndColumn()
    {
        const int M = 5, N = 14, K = 70;
        float[] x = FloatPalette.Normals(8, M * K), w = FloatPalette.Normals(9, N * K);
        x[2 * K + 3] = float.NaN;
        w[13 * K + 69] = float.PositiveInfinity;
        foreach (KernelPath path in KernelPaths.Available)
        {
            var y = new float[M * N];
            Sgemm.Run(M, N, K, x, w, y, 2, path);
            for (int i = 0; i < M; i++)
            {
                for (int j = 0; j < N; j++) Assert.Equal(i != 2 && j != 13, float.IsFinite(y[i * N + j]));
            }
        }
    }

    [Theory]
    [InlineData(1, 13, 300)]
    [InlineData(1, 3, 4100)]
    [InlineData(33, 13, 259)]
    public void Sgemm_SpansBetweenGuardPages_StaysInside(int m, int n, int k)
    {
        float[] xs = FloatPalette.Normals(1, m * k), ws = FloatPalette.Normals(2, n * k);
        foreach (GuardSide side in Enum.GetValues<GuardSide>())
        {
            foreach (KernelPath path in KernelPaths.Available)
            {
                using var x = new GuardedMemory(m * k * 4, side);
                using var w = new GuardedMemory(n * k * 4, side);
                using var y = new GuardedMemory(m * n * 4, side);
                xs.CopyTo(x.As<float>());
                ws.CopyTo(w.As<float>());
                Sgemm.Run(m, n, k, x.As<float>(), w.As<float>(), y.As<float>(), 1, path);
                GemmCheck.AssertWithinBound(m, n, k, xs, ws, y.As<float>().ToArray(), $"{path}");
            }
        }
    }

    [Fact]
    public void Bound_KernelThatIsThreePerMilleOff_IsViolated()
    {
        // At the sizes of real layers, where the any-order bound would let it pass.
        const int M = 4, N = 40, K = 4096;
        float[] x = FloatPalette.Normals(31, M * K), w = FloatPalette.Normals(32, N * K);
        var wrong = new float[M * N];
        Sgemm.Run(M, N, K, x, w, wrong, 2, KernelPaths.Selected);
        for (int i = 0; i < wrong.Length; i++) wrong[i] *= 1.003f;
        double worst = GemmCheck.WorstRatio(M, N, K, x, w, wrong, GemmBounds.ForFp32);
        Assert.True(worst > 2, $"{worst}");
        Assert.True(GemmCheck.WorstRatio(M, N, K, x, w, wrong, GemmBounds.ForAnyOrder) < 1);
    }

    [Fact]
    public void Bound_KernelThatDropsOneProduct_IsViolated()
    {
        const int M = 2, N = 3, K = 1024;
        float[] x = FloatPalette.Normals(33, M * K), w = FloatPalette.Normals(34, N * K);
        float[] shortened = [.. w];
        for (int j = 0; j < N; j++) shortened[j * K + K - 1] = 0;
        var wrong = new float[M * N];
        Sgemm.Run(M, N, K, x, shortened, wrong, 1, KernelPaths.Selected);
        Assert.True(GemmCheck.WorstRatio(M, N, K, x, w, wrong, GemmBounds.ForFp32) > 1);
    }

    [Fact]
    public void Depth_RunsOf256_AreCounted()
    {
        Assert.Equal((0, 1, 256, 257), (GemmBounds.Depth(0), GemmBounds.Depth(1), GemmBounds.Depth(256), GemmBounds.Depth(257)));
        Assert.Equal((258, 272), (GemmBounds.Depth(400), GemmBounds.Depth(4096)));
    }

    [Fact]
    public void WrongArguments_AreRefused()
    {
        float[] four = new float[4];
        Assert.Throws<ArgumentException>(() => Sgemm.Run(2, 2, 2, new float[3], four, new float[4], 1, KernelPath.Reference));
        Assert.Throws<ArgumentException>(() => Sgemm.Run(2, 2, 2, four, new float[5], new float[4], 1, KernelPath.Reference));
        Assert.Throws<ArgumentException>(() => Sgemm.Run(2, 2, 2, four, four, new float[3], 1, KernelPath.Reference));
        Assert.Throws<ArgumentException>(() => ReferenceGemm.Run(2, 2, 2, four, four, new float[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sgemm.Run(-1, 2, 2, four, four, four, 1, KernelPath.Reference));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sgemm.Run(2, 2, 2, four, four, new float[4], 0, KernelPath.Reference));
    }
}
