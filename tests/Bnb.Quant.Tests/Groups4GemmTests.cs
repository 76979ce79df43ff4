using Bnb.Quant.Backends;
using Bnb.Quant.Gemm;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>The product with INT4 groups against the yardstick over the weights that <see cref="DequantizeGroups4"/> gives.</summary>
public class Groups4GemmTests
{
    public static TheoryData<ElementType, ElementType, bool> Combinations()
    {
        var data = new TheoryData<ElementType, ElementType, bool>();
        foreach (ElementType type in Kernels.Types)
        {
            foreach (ElementType scaleType in Kernels.Types)
            {
                data.Add(type, scaleType, true);
                data.Add(type, scaleType, false);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void MixedGemmGroups4_AnyShape_IsWithinTheBound(ElementType type, ElementType scaleType, bool symmetric)
    {
        var random = new Random(1 + (int)type + 3 * (int)scaleType);
        foreach (int groupSize in (int[])[8, 24, 32, 40, 64, 96, 128, 320])
        {
            foreach (int m in (int[])[1, random.Next(2, 40)])
            {
                int k = groupSize * random.Next(1, 1 + 1200 / groupSize);
                var problem = new Problem(type, scaleType, groupSize, symmetric, m, random.Next(1, 60), k, random.Next());
                foreach (KernelPath path in KernelPaths.Available) problem.AssertWithinBound(path);
            }
        }
    }

    [Theory]
    [InlineData(ElementType.BF16, 128, 1, 4096)]
    [InlineData(ElementType.F16, 64, 3, 2304)]
    [InlineData(ElementType.BF16, 11008, 1, 11008)]
    [InlineData(ElementType.BF16, 40, 2, 4400)]
    public void MixedGemmGroups4_RealWidths_AreWithinTheBound(ElementType type, int groupSize, int m, int k)
    {
        var problem = new Problem(type, type, groupSize, false, m, 27, k, 5);
        foreach (KernelPath path in KernelPaths.Available) problem.AssertWithinBound(path);
    }

    [Theory]
    [InlineData(1, 64)]
    [InlineData(1, 40)]
    [InlineData(21, 32)]
    public void MixedGemmGroups4_AnyNumberOfThreads_GivesTheSameBits(int m, int groupSize)
    {
        var problem = new Problem(ElementType.BF16, ElementType.BF16, groupSize, false, m, 300, 640, 6);
        foreach (KernelPath path in KernelPaths.Available)
        {
            float[] one = problem.Run(path, 1);
            foreach (int threads in (int[])[2, 3, 16]) Assert.Equal(one, problem.Run(path, threads));
        }
    }

    [Theory]
    [InlineData(0, 3, 64)]
    [InlineData(3, 0, 64)]
    [InlineData(3, 4, 0)]
    [InlineData(1, 4, 0)]
    public void MixedGemmGroups4_EmptyDimension_GivesZerosOrNothing(int m, int n, int k)
    {
        var problem = new Problem(ElementType.F16, ElementType.F16, 64, true, m, n, k, 7);
        foreach (KernelPath path in KernelPaths.Available) Assert.All(problem.Run(path, 2), value => Assert.Equal(0f, value));
    }

    [Theory]
    [InlineData(1, 7, 96, 32)]
    [InlineData(1, 3, 4128, 8)]
    [InlineData(9, 13, 120, 24)]
    [InlineData(9, 13, 320, 64)]
    public void MixedGemmGroups4_SpansBetweenGuardPages_StaysInside(int m, int n, int k, int groupSize)
    {
        var problem = new Problem(ElementType.F16, ElementType.F16, groupSize, false, m, n, k, 8);
        Quantized4Groups weights = problem.Weights;
        foreach (GuardSide side in Enum.GetValues<GuardSide>())
        {
            foreach (KernelPath path in KernelPaths.Available)
            {
                using var x = new GuardedMemory(problem.X.Length, side);
                using var packed = new GuardedMemory(weights.Packed.Length, side);
                using var scales = new GuardedMemory(weights.Scales.Length, side);
                using var zeros = new GuardedMemory(weights.ZeroPoints.Length, side);
                using var y = new GuardedMemory(m * n * 4, side);
                problem.X.CopyTo(x.Span);
                weights.Packed.CopyTo(packed.Span);
                weights.Scales.CopyTo(scales.Span);
                weights.ZeroPoints.CopyTo(zeros.As<sbyte>());
                MixedGemmGroups4.Run(
                    m, n, k, ElementType.F16, x.Span, groupSize, ElementType.F16, packed.Span, scales.Span,
                    zeros.As<sbyte>(), y.As<float>(), 1, path);
                Assert.Equal(problem.Run(path, 1), y.As<float>().ToArray());
            }
        }
    }

    [Fact]
    public void WrongArguments_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(groupSize: 12));
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(groupSize: 64));
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(threads: 0));
        Assert.Throws<ArgumentException>(() => Call(packed: 31));
        Assert.Throws<ArgumentException>(() => Call(scales: 3));
        Assert.Throws<ArgumentException>(() => Call(zeros: 1));
        Assert.Throws<ArgumentException>(() => Call(y: 3));
        Call();
        Call(zeros: 0);

        static void Call(int groupSize = 32, int packed = 32, int scales = 4, int zeros = 2, int y = 4, int threads = 1) =>
            MixedGemmGroups4.Run(
                2, 2, 32, ElementType.BF16, new byte[128], groupSize, ElementType.BF16, new byte[packed], new byte[scales],
                new sbyte[zeros], new float[y], threads, KernelPath.Reference);
    }

    private sealed class Problem
    {
        private readonly ElementType _type;
        private readonly ElementType _scaleType;
        private readonly int _groupSize;
        private readonly int _m;
        private readonly int _n;
        private readonly int _k;

        public Problem(
            ElementType type, ElementType scaleType, int groupSize, bool symmetric, int m, int n, int k, int seed)
        {
            (_type, _scaleType, _groupSize, _m, _n, _k) = (type, scaleType, groupSize, m, n, k);
            X = Kernels.Store(type, FloatPalette.Normals(seed, m * k));
            Weights = Groups4.Random(new Random(seed), scaleType, groupSize, symmetric, n * (k / groupSize), anyScale: false);
        }

        public byte[] X { get; }

        public Quantized4Groups Weights { get; }

        public float[] Run(KernelPath path, int threads)
        {
            float[] y = [.. Enumerable.Repeat(float.NaN, _m * _n)];
            MixedGemmGroups4.Run(
                _m, _n, _k, _type, X, _groupSize, _scaleType, Weights.Packed, Weights.Scales, Weights.ZeroPoints, y, threads,
                path);
            return y;
        }

        public void AssertWithinBound(KernelPath path)
        {
            byte[] stored = Groups4.Decode(_scaleType, _groupSize, Weights, _type, KernelPath.Reference);
            var weights = new float[_n * _k];
            Widen.ToSingle(_type, stored, weights);
            var x = new float[_m * _k];
            Widen.ToSingle(_type, X, x);
            string what = $"{_type} scales {_scaleType} group {_groupSize} on {path}";
            GemmCheck.AssertWithinBound(_m, _n, _k, x, weights, Run(path, 2), what);
        }
    }
}
