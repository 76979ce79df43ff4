using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>Every fast path gives the bytes of the reference, without tolerance.</summary>
public class PathEqualityTests
{
    private static readonly int[] Blocksizes = [32, 64, 128, 256, 512, 1024, 2048, 4096];

    public static TheoryData<string, ElementType> CodesAndTypes()
    {
        var data = new TheoryData<string, ElementType>();
        foreach (Code4 code in Code4Catalog.All)
        {
            foreach (ElementType type in Kernels.Types) data.Add(code.Name, type);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(CodesAndTypes))]
    public void Paths_EveryLengthTo257_Agree(string name, ElementType type)
    {
        Code4 code = Code4Catalog.ByName(name);
        byte[] source = Kernels.Store(type, FloatPalette.Mixed(new Random(11), 400, nonFinite: true));
        for (int count = 0; count <= 257; count++)
        {
            ReadOnlySpan<byte> part = source.AsSpan((count % 100) * type.Size(), count * type.Size());
            foreach (int blocksize in (int[])[32, 64, 128, 4096])
            {
                Kernels.AssertPathsAgree(code, type, blocksize, part, $"seed 11 count {count}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(CodesAndTypes))]
    public void Paths_AroundBlockEdges_Agree(string name, ElementType type)
    {
        Code4 code = Code4Catalog.ByName(name);
        byte[] source = Kernels.Store(type, FloatPalette.Mixed(new Random(12), 3 * 4096 + 2, nonFinite: true));
        foreach (int blocksize in Blocksizes)
        {
            foreach (int extra in (int[])[-1, 0, 1, 2 * blocksize - 1, 2 * blocksize, 2 * blocksize + 1])
            {
                int count = blocksize + extra;
                Kernels.AssertPathsAgree(code, type, blocksize, source.AsSpan(0, count * type.Size()), $"seed 12 count {count}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(CodesAndTypes))]
    public void Paths_MixedValues_Agree(string name, ElementType type)
    {
        Code4 code = Code4Catalog.ByName(name);
        for (int seed = 100; seed < 108; seed++)
        {
            var random = new Random(seed);
            byte[] source = Kernels.Store(type, FloatPalette.Mixed(random, 30_000, nonFinite: seed % 2 == 0));
            Kernels.AssertPathsAgree(code, type, Blocksizes[seed % Blocksizes.Length], source, $"seed {seed}");
        }
    }

    [Theory]
    [InlineData("nf4", ElementType.F16)]
    [InlineData("nf4", ElementType.BF16)]
    [InlineData("fp4", ElementType.F16)]
    [InlineData("fp4", ElementType.BF16)]
    public void Paths_EveryBitPatternOf16Bits_Agree(string name, ElementType type)
    {
        // In order, so that blocks have a narrow range and most patterns meet an absmax near themselves; then scattered.
        var source = new byte[2 * 65536 * 2];
        for (int i = 0; i < 65536; i++)
        {
            BitConverter.TryWriteBytes(source.AsSpan(i * 2), (ushort)i);
            BitConverter.TryWriteBytes(source.AsSpan(131072 + i * 2), (ushort)(i * 40503));
        }

        Kernels.AssertPathsAgree(Code4Catalog.ByName(name), type, 64, source, "all patterns");
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("fp4")]
    public void Paths_AroundThresholdsAndBucketEdges_Agree(string name)
    {
        // Every block has absmax 1, so the normalised values are the values themselves.
        var centres = new List<float>();
        centres.AddRange(Nf4.Thresholds);
        centres.AddRange(Fp4.Thresholds);
        for (int edge = -16; edge <= 16; edge++) centres.Add((edge + 0.5f) / BucketTable<Nf4>.Density);
        var values = new List<float>();
        foreach (float centre in centres.Concat(centres.Select(value => -value)).Append(0f))
        {
            for (int ulps = -64; ulps <= 64; ulps++)
            {
                float value = centre == 0
                    ? BitConverter.Int32BitsToSingle(Math.Abs(ulps)) * MathF.Sign(ulps)
                    : BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(centre) + ulps);
                if (Math.Abs(value) <= 1) values.Add(value);
            }
        }

        AssertNormalised(name, values);
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("fp4")]
    public void Paths_DenseSweep_Agree(string name)
    {
        var values = new List<float>();
        for (int i = -500_000; i <= 500_000; i++) values.Add(i / 500_000f);
        AssertNormalised(name, values);
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("fp4")]
    public void Paths_ReciprocalThatOverflowsOrRoundsAboveOne_Agree(string name)
    {
        var values = new List<float>();
        var random = new Random(5);
        for (int block = 0; block < 400; block++)
        {
            // Around 2^-128, where 1/absmax becomes infinite, and over all magnitudes.
            float absmax = block < 200
                ? BitConverter.Int32BitsToSingle(0x0020_0000 + block - 100)
                : BitConverter.Int32BitsToSingle(random.Next(1, 0x7F80_0000));
            values.Add(absmax);
            for (int i = 1; i < 32; i++) values.Add(absmax * (float)(random.NextDouble() * 2 - 1));
        }

        byte[] source = Kernels.Store(ElementType.F32, values.ToArray());
        Kernels.AssertPathsAgree(Code4Catalog.ByName(name), ElementType.F32, 32, source, "seed 5");
    }

    [Theory]
    [MemberData(nameof(CodesAndTypes))]
    public void Paths_MisalignedSource_Agree(string name, ElementType type)
    {
        Code4 code = Code4Catalog.ByName(name);
        byte[] stored = Kernels.Store(type, FloatPalette.Normals(21, 1000));
        Quantized expected = Kernels.Run(code, type, 64, stored, KernelPath.Reference);
        var shifted = new byte[stored.Length + 70];
        for (int offset = 0; offset < 70; offset++)
        {
            stored.CopyTo(shifted, offset);
            foreach (KernelPath path in KernelPaths.Available)
            {
                Quantized actual = Kernels.Run(code, type, 64, shifted.AsSpan(offset, stored.Length), path);
                Assert.Equal(expected.Packed, actual.Packed);
                Assert.Equal(expected.AbsmaxBits, actual.AbsmaxBits);
            }
        }
    }

    [Theory]
    [MemberData(nameof(CodesAndTypes))]
    public void Paths_SpansBetweenGuardPages_StayInside(string name, ElementType type)
    {
        Code4 code = Code4Catalog.ByName(name);
        byte[] stored = Kernels.Store(type, FloatPalette.Normals(22, 513));
        foreach (GuardSide side in Enum.GetValues<GuardSide>())
        {
            foreach (int count in (int[])[1, 31, 32, 33, 63, 64, 65, 128, 255, 256, 511, 512, 513])
            {
                foreach (KernelPath path in KernelPaths.Available)
                {
                    using var source = new GuardedMemory(count * type.Size(), side);
                    using var packed = new GuardedMemory((count + 1) / 2, side);
                    using var absmax = new GuardedMemory(4 * ((count + 31) / 32), side);
                    stored.AsSpan(0, source.Span.Length).CopyTo(source.Span);
                    Quantize4.Run(code, type, 32, source.Span, absmax.As<float>(), packed.Span, path);
                    Assert.Equal(Kernels.Run(code, type, 32, source.Span, KernelPath.Reference).Packed, packed.Span.ToArray());
                }
            }
        }
    }

    private static void AssertNormalised(string name, List<float> values)
    {
        var blocks = new List<float>();
        for (int i = 0; i < values.Count; i++)
        {
            if (blocks.Count % 64 == 0) blocks.Add(i % 2 == 0 ? 1f : -1f);
            blocks.Add(values[i]);
        }

        while (blocks.Count % 64 != 0) blocks.Add(0.25f);
        byte[] source = Kernels.Store(ElementType.F32, blocks.ToArray());
        Code4 code = Code4Catalog.ByName(name);
        Kernels.AssertPathsAgree(code, ElementType.F32, 64, source, "absmax 1");
        Assert.All(Kernels.Run(code, 64, [.. blocks]).AbsmaxBits, bits => Assert.Equal(0x3F80_0000, bits));
    }
}
