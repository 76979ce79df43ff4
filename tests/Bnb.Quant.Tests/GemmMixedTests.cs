using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>The product with 4-bit weights against the yardstick over the weights that <see cref="Dequantize4"/> gives.</summary>
public class GemmMixedTests
{
    private static readonly int[] Blocksizes = [32, 64, 128, 256, 512, 1024, 2048, 4096];

    public static TheoryData<string, ElementType, int> Combinations()
    {
        var data = new TheoryData<string, ElementType, int>();
        foreach (Code4 code in Code4Catalog.All)
        {
            foreach (ElementType type in Kernels.Types)
            {
                foreach (int blocksize in Blocksizes) data.Add(code.Name, type, blocksize);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void MixedGemm4_AnyShapeAndPhase_IsWithinTheBound(string name, ElementType type, int blocksize)
    {
        var random = new Random(blocksize + (int)type);
        int[] phases = [0, 0, 1, 31, blocksize / 2, blocksize - 1, random.Next(blocksize)];
        foreach (int phase in phases)
        {
            // Whole blocks, whole groups and neither.
            int k = (phase % 3) switch { 0 => 64 * random.Next(1, 12), 1 => 32 * random.Next(1, 20), _ => random.Next(1, 700) };
            foreach (int m in (int[])[1, random.Next(2, 40)])
            {
                int n = random.Next(1, 60);
                var problem = new Problem(Code4Catalog.ByName(name), type, blocksize, phase, m, n, k, random.Next());
                foreach (KernelPath path in KernelPaths.Available) problem.AssertWithinBound(path);
            }
        }
    }

    [Theory]
    [InlineData("nf4", ElementType.BF16, 64, 1, 4096)]
    [InlineData("fp4", ElementType.F16, 128, 3, 2304)]
    [InlineData("nf4", ElementType.BF16, 4096, 1, 11008)]
    [InlineData("nf4", ElementType.F16, 32, 1, 4321)]
    public void MixedGemm4_RealWidths_AreWithinTheBound(string name, ElementType type, int blocksize, int m, int k)
    {
        var problem = new Problem(Code4Catalog.ByName(name), type, blocksize, 0, m, 27, k, 5);
        foreach (KernelPath path in KernelPaths.Available) problem.AssertWithinBound(path);
    }

    [Theory]
    [InlineData(1, 640)]
    [InlineData(1, 641)]
    [InlineData(21, 641)]
    public void MixedGemm4_AnyNumberOfThreads_GivesTheSameBits(int m, int k)
    {
        var problem = new Problem(Code4Catalog.Nf4, ElementType.BF16, 64, 0, m, 300, k, 6);
        foreach (KernelPath path in KernelPaths.Available)
        {
            float[] one = problem.Run(path, 1);
            foreach (int threads in (int[])[2, 3, 16]) Assert.Equal(one, problem.Run(path, threads));
        }
    }

    [Theory]
    [InlineData(0, 3, 4)]
    [InlineData(3, 0, 4)]
    [InlineData(3, 4, 0)]
    [InlineData(1, 4, 0)]
    public void MixedGemm4_EmptyDimension_GivesZerosOrNothing(int m, int n, int k)
    {
        var problem = new Problem(Code4Catalog.Nf4, ElementType.F16, 64, 0, m, n, k, 7);
        foreach (KernelPath path in KernelPaths.Available) Assert.All(problem.Run(path, 2), value => Assert.Equal(0f, value));
    }

    [Theory]
    [InlineData(1, 7, 96)]
    [InlineData(1, 7, 97)]
    [InlineData(1, 3, 4128)]
    [InlineData(9, 13, 97)]
    [InlineData(9, 13, 320)]
    public void MixedGemm4_SpansBetweenGuardPages_StaysInside(int m, int n, int k)
    {
        foreach (int phase in (int[])[0, 17, 32])
        {
            var problem = new Problem(Code4Catalog.Fp4, ElementType.F16, 64, phase, m, n, k, 8);
            foreach (GuardSide side in Enum.GetValues<GuardSide>())
            {
                foreach (KernelPath path in KernelPaths.Available)
                {
                    using var x = new GuardedMemory(problem.X.Length, side);
                    using var packed = new GuardedMemory(problem.Packed.Length, side);
                    using var absmax = new GuardedMemory(problem.Absmax.Length * 4, side);
                    using var y = new GuardedMemory(m * n * 4, side);
                    problem.X.CopyTo(x.Span);
                    problem.Packed.CopyTo(packed.Span);
                    problem.Absmax.CopyTo(absmax.As<float>());
                    MixedGemm4.Run(
                        m, n, k, ElementType.F16, x.Span, Code4Catalog.Fp4, 64, phase, packed.Span, absmax.As<float>(),
                        y.As<float>(), 1, path);
                    Assert.Equal(problem.Run(path, 1), y.As<float>().ToArray());
                }
            }
        }
    }

    [Fact]
    public void MixedGemm4_PaddingNibbleAndValuesBeforeThePhase_AreIgnored()
    {
        var problem = new Problem(Code4Catalog.Nf4, ElementType.BF16, 32, 5, 3, 3, 9, 9);
        foreach (KernelPath path in KernelPaths.Available)
        {
            float[] expected = problem.Run(path, 1);
            byte[] saved = [.. problem.Packed];
            problem.Packed[0] ^= 0xFF;
            problem.Packed[1] ^= 0xFF;
            problem.Packed[2] ^= 0xF0;
            Assert.Equal(expected, problem.Run(path, 1));
            saved.CopyTo(problem.Packed, 0);
        }
    }

    [Fact]
    public void WrongArguments_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(phase: 64));
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(phase: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(blocksize: 48));
        Assert.Throws<ArgumentOutOfRangeException>(() => Call(threads: 0));
        Assert.Throws<ArgumentException>(() => Call(packed: 31));
        Assert.Throws<ArgumentException>(() => Call(absmax: 0));
        Assert.Throws<ArgumentException>(() => Call(phase: 1));
        Assert.Throws<ArgumentException>(() => Call(y: 3));
        Call();

        static void Call(int phase = 0, int blocksize = 64, int packed = 32, int absmax = 1, int y = 4, int threads = 1) =>
            MixedGemm4.Run(
                2, 2, 32, ElementType.BF16, new byte[128], Code4Catalog.Nf4, blocksize, phase, new byte[packed],
                new float[absmax], new float[y], threads, KernelPath.Reference);
    }

    private sealed class Problem
    {
        private readonly Code4 _code;
        private readonly ElementType _type;
        private readonly int _blocksize;
        private readonly int _phase;
        private readonly int _m;
        private readonly int _n;
        private readonly int _k;

        public Problem(Code4 code, ElementType type, int blocksize, int phase, int m, int n, int k, int seed)
        {
            (_code, _type, _blocksize, _phase, _m, _n, _k) = (code, type, blocksize, phase, m, n, k);
            var random = new Random(seed);
            X = Kernels.Store(type, FloatPalette.Normals(seed, m * k));
            Packed = new byte[(phase + n * k + 1) / 2];
            random.NextBytes(Packed);
            Absmax = new float[BlockGrid.BlockCount(phase + n * k, blocksize)];
            for (int i = 0; i < Absmax.Length; i++) Absmax[i] = 0.01f + random.NextSingle();
        }

        public byte[] X { get; }

        public byte[] Packed { get; }

        public float[] Absmax { get; }

        public float[] Run(KernelPath path, int threads)
        {
            float[] y = [.. Enumerable.Repeat(float.NaN, _m * _n)];
            MixedGemm4.Run(_m, _n, _k, _type, X, _code, _blocksize, _phase, Packed, Absmax, y, threads, path);
            return y;
        }

        public void AssertWithinBound(KernelPath path)
        {
            int count = _phase + _n * _k;
            var stored = new byte[count * _type.Size()];
            Dequantize4.Run(_code, _blocksize, _type, Packed, Absmax, stored, KernelPath.Reference);
            var weights = new float[count];
            Widen.ToSingle(_type, stored, weights);
            var x = new float[_m * _k];
            Widen.ToSingle(_type, X, x);
            string what = $"{_code} {_type} block {_blocksize} phase {_phase} on {path}";
            GemmCheck.AssertWithinBound(_m, _n, _k, x, weights[_phase..], Run(path, 2), what);
        }
    }
}
