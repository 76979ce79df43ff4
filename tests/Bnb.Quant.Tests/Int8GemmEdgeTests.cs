using Bnb.Quant.Backends;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>What the LLM.int8() product does with odd shapes, values, memory and arguments.</summary>
public class Int8GemmEdgeTests
{
    [Fact]
    public void Run_OneInfiniteOrNaNActivation_StaysInItsRow()
    {
        const int M = 7, N = 9, K = 40;
        float[] x = Int8GemmProblem.Activations(5, M, K, 0);
        x[2 * K + 3] = float.PositiveInfinity;
        x[4 * K + 5] = float.NaN;
        var problem = new Int8GemmProblem(ElementType.F16, M, N, K, x, 5);
        for (int j = 0; j < N; j++) problem.Codes[j * K + 3] = 1;
        problem.Scb.AsSpan().Fill(1);
        foreach ((KernelPath Path, bool Vnni) way in Int8GemmProblem.Ways())
        {
            // The infinity is an outlier and goes through; the NaN has code 0, as in the CUDA kernel.
            float[] y = problem.Run(way);
            for (int i = 0; i < M * N; i++) Assert.Equal(i / N == 2, float.IsPositiveInfinity(y[i]));
            Assert.All(y, value => Assert.False(float.IsNaN(value)));
        }
    }

    [Theory]
    [InlineData(0, 3, 4)]
    [InlineData(3, 0, 4)]
    [InlineData(3, 4, 0)]
    [InlineData(9, 4, 0)]
    [InlineData(0, 0, 0)]
    public void Run_EmptyDimension_GivesZerosOrNothing(int m, int n, int k)
    {
        var problem = new Int8GemmProblem(ElementType.F16, m, n, k, new float[m * k], 7);
        foreach ((KernelPath Path, bool Vnni) way in Int8GemmProblem.Ways())
        {
            Assert.All(problem.Run(way), value => Assert.Equal(0f, value));
        }
    }

    [Theory]
    [InlineData(1, 13, 300)]
    [InlineData(4, 3, 1027)]
    [InlineData(9, 13, 97)]
    [InlineData(33, 13, 1029)]
    public void Run_SpansBetweenGuardPages_StaysInside(int m, int n, int k)
    {
        var problem = new Int8GemmProblem(ElementType.F16, m, n, k, Int8GemmProblem.Activations(1, m, k, 30), 2);
        foreach (GuardSide side in Enum.GetValues<GuardSide>())
        {
            using var x = new GuardedMemory(problem.X.Length, side);
            using var codes = new GuardedMemory(problem.Codes.Length, side);
            using var scb = new GuardedMemory(n * 4, side);
            using var y = new GuardedMemory(m * n * 4, side);
            problem.X.CopyTo(x.Span);
            problem.Codes.CopyTo(codes.As<sbyte>());
            problem.Scb.CopyTo(scb.As<float>());
            foreach ((KernelPath Path, bool Vnni) way in Int8GemmProblem.Ways())
            {
                Int8Activations prepared = Int8Activations.Prepare(m, k, ElementType.F16, x.Span, Int8GemmProblem.Threshold);
                Int8Gemm.Run(prepared, n, codes.As<sbyte>(), scb.As<float>(), y.As<float>(), 1, way.Path, way.Vnni);
                Int8GemmProblem.AssertSame(problem.Run(way), y.As<float>().ToArray(), $"{side} {way}");
            }
        }
    }

    [Fact]
    public void Run_BothOverloads_GiveTheSameBits()
    {
        const int M = 5, N = 30, K = 100;
        var problem = new Int8GemmProblem(ElementType.BF16, M, N, K, Int8GemmProblem.Activations(6, M, K, 9), 6);
        foreach (KernelPath path in KernelPaths.Available)
        {
            float[] first = new float[M * N], second = new float[M * N];
            Int8Gemm.Run(M, N, K, ElementType.BF16, problem.X, problem.Codes, problem.Scb, 6, first, 2, path);
            Int8Gemm.Run(problem.Prepare(), N, problem.Codes, problem.Scb, second, 2, path);
            Assert.Equal(first, second);
            // Panels of the weight, with the activations prepared once.
            var panel = new float[M * 7];
            Int8Gemm.Run(problem.Prepare(), 7, problem.Codes.AsSpan(K, 7 * K), problem.Scb.AsSpan(1, 7), panel, 1, path);
            for (int i = 0; i < panel.Length; i++) Assert.Equal(first[i / 7 * N + 1 + i % 7], panel[i]);
        }
    }

    [Fact]
    public void WrongArguments_AreRefused()
    {
        Assert.Throws<ArgumentException>(() => Call(x: 7));
        Assert.Throws<ArgumentException>(() => Call(codes: 5));
        Assert.Throws<ArgumentException>(() => Call(scb: 4));
        Assert.Throws<ArgumentException>(() => Call(y: 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(m: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(threads: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(threshold: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(threshold: float.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(type: (ElementType)9));
        Call();

        static void Call(
            int m = 2, int x = 8, int codes = 6, int scb = 3, int y = 6, int threads = 1, float threshold = 6,
            ElementType type = ElementType.F16) => Int8Gemm.Run(
                m, 3, 2, type, new byte[x], new sbyte[codes], new float[scb], threshold, new float[y], threads, KernelPath.Reference);
    }
}
