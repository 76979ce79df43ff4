using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gpu;

/// <summary>Products whose sums are exact in any order and on any unit, so that a device's must be the CPU's to the bit: whole
/// numbers, small ones. A fragment in a wrong place, or a sum that ends early, shows.</summary>
internal static class SelfCheckProducts
{
    private const int M = 3, N = 5, Blocksize = 32;

    /// <summary>With nf4 weights of -1, 0 and 1, one row and several, columns that fill steps and some that do not.</summary>
    public static bool Weights4(GpuSession session)
    {
        bool same = true;
        foreach ((int m, int k) in ((int, int)[])[(1, 64), (M, 96), (M, 37)])
        {
            var random = new Random(k);
            float[] x = [.. Enumerable.Range(0, m * k).Select(_ => (float)random.Next(-8, 9))];
            var stored = new byte[2 * x.Length];
            Narrow.FromSingle(ElementType.BF16, x, stored);
            var packed = new byte[(N * k + 1) / 2];
            for (int i = 0; i < packed.Length; i++) packed[i] = (byte)((Unit(random) << 4) | Unit(random));
            float[] absmax = [.. Enumerable.Repeat(1f, (N * k + Blocksize - 1) / Blocksize)];
            float[] expected = new float[m * N], y = new float[m * N];
            MixedGemm4.Run(m, N, k, ElementType.BF16, stored, Code4Catalog.Nf4, Blocksize, 0, packed, absmax, expected, 1, KernelPath.Reference);
            session.MixedGemm4(m, N, k, ElementType.BF16, stored, Code4Catalog.Nf4, Blocksize, packed, absmax, y);
            same &= expected.AsSpan().SequenceEqual(y);
        }

        return same;

        static int Unit(Random random) => random.Next(3) switch { 0 => 0, 1 => 7, _ => 15 };
    }

    /// <summary>With E4M3 weights of -2 to 2, and of 2^-9, a subnormal code, under a scale of 2^9.</summary>
    public static bool WeightsFp8(GpuSession session)
    {
        ReadOnlySpan<byte> kinds = [0x00, 0x38, 0xB8, 0x40, 0xC0, 0x01, 0x81];
        ReadOnlySpan<float> values = [0f, 1f, -1f, 2f, -2f, 0.001953125f, -0.001953125f];
        bool same = true;
        foreach ((int m, int k) in ((int, int)[])[(1, 64), (M, 96), (M, 37)])
        {
            var random = new Random(k);
            float[] x = [.. Enumerable.Range(0, m * k).Select(_ => (float)random.Next(-8, 9))];
            var stored = new byte[2 * x.Length];
            Narrow.FromSingle(ElementType.BF16, x, stored);
            var codes = new byte[N * k];
            float[] scales = [.. Enumerable.Repeat(512f, N)], expected = new float[m * N], y = new float[m * N];
            for (int i = 0; i < codes.Length; i++)
            {
                int kind = random.Next(kinds.Length);
                codes[i] = kinds[kind];
                for (int row = 0; row < m; row++) expected[row * N + i / k] += x[row * k + i % k] * values[kind] * 512f;
            }

            session.MixedGemmFp8(m, N, k, ElementType.BF16, stored, codes, scales, y);
            same &= expected.AsSpan().SequenceEqual(y);
        }

        return same;
    }

    /// <summary>With codes of every kind: integer sums are exact and what scales them is the same roundings everywhere.</summary>
    public static bool Integers(GpuSession session)
    {
        bool same = true;
        foreach (int k in (int[])[96, 37])
        {
            var random = new Random(k);
            float[] values = [.. Enumerable.Range(0, M * k).Select(_ => random.NextSingle() - 0.5f)];
            var x = Int8Activations.Prepare(M, k, ElementType.F32, MemoryMarshal.AsBytes<float>(values), 0f);
            var codes = new sbyte[N * k];
            random.NextBytes(MemoryMarshal.AsBytes(codes.AsSpan()));
            float[] scb = [.. Enumerable.Range(0, N).Select(_ => 0.01f + random.NextSingle())];
            float[] expected = new float[M * N], y = new float[M * N];
            Int8Gemm.Run(x, N, codes, scb, expected, 1, KernelPath.Reference);
            session.Int8Gemm(x, N, codes, scb, y);
            same &= MemoryMarshal.AsBytes<float>(expected).SequenceEqual(MemoryMarshal.AsBytes<float>(y));
        }

        return same;
    }
}
