using System.Runtime.Intrinsics;
using Bnb.Quant.Backends;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;
using FsCheck;
using FsCheck.Fluent;

namespace Bnb.Quant.Tests;

/// <summary>Every fast path of the row-wise 8-bit quantizer gives the bytes of the reference, without tolerance.</summary>
public class Rows8PathTests
{
    private static readonly Gen<(int Seed, int Columns, int Rows, ElementType Type, bool NonFinite)> Inputs =
        from seed in Gen.Choose(0, int.MaxValue - 1)
        from columns in Gen.Choose(1, 1500)
        from rows in Gen.Choose(0, 5)
        from type in Gen.Elements(Kernels.Types)
        from nonFinite in Gen.Elements(false, true)
        select (seed, columns, rows, type, nonFinite);

    public static TheoryData<ElementType> Types() => [.. Kernels.Types];

    [Fact]
    public void Paths_AnyInput_Agree() => Prop.ForAll(Inputs.ToArbitrary(), input =>
    {
        float[] values = InHalfRange(new Random(input.Seed), input.Rows * input.Columns, input.NonFinite);
        Rows8.AssertPathsAgree(input.Type, input.Columns, Kernels.Store(input.Type, values), $"{input}");
    }).QuickCheckThrowOnFailure();

    [Theory]
    [MemberData(nameof(Types))]
    public void Paths_EveryWidthTo140_Agree(ElementType type)
    {
        byte[] source = Kernels.Store(type, InHalfRange(new Random(31), 700, nonFinite: false));
        for (int columns = 1; columns <= 140; columns++)
        {
            int values = columns * Math.Max(1, 560 / columns);
            Rows8.AssertPathsAgree(type, columns, source.AsSpan(columns * type.Size(), values * type.Size()), "seed 31");
        }
    }

    [Theory]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    public void Paths_EveryBitPatternOf16Bits_Agree(ElementType type)
    {
        // In order, so that most patterns meet an absmax near themselves; then scattered over rows of every magnitude.
        var source = new byte[2 * 65536 * 2];
        for (int i = 0; i < 65536; i++)
        {
            BitConverter.TryWriteBytes(source.AsSpan(i * 2), (ushort)i);
            BitConverter.TryWriteBytes(source.AsSpan(131072 + i * 2), (ushort)(i * 40503));
        }

        foreach (int columns in (int[])[32, 64, 2048]) Rows8.AssertPathsAgree(type, columns, source, "all patterns");
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Paths_TiesBetweenCodesAndBetweenHalves_Agree(ElementType type)
    {
        // Row by row an absmax from the least subnormal to the largest float16; values on and beside the ties of codes, and
        // for the wider types beside those of float16.
        var random = new Random(41);
        var values = new List<float>();
        for (int row = 0; row < 400; row++)
        {
            float absmax = (float)BitConverter.UInt16BitsToHalf((ushort)random.Next(1, 0x7C00));
            values.Add(row % 2 == 0 ? absmax : -absmax);
            for (int i = 1; i < 128; i++)
            {
                float tie = (i - 0.5f) / 127f * absmax * (i % 3 == 0 ? -1 : 1);
                float value = (row % 4) switch { 0 => tie, 1 => MathF.BitIncrement(tie), 2 => MathF.BitDecrement(tie), _ => BetweenHalves(random, tie) };
                values.Add(Math.Abs(value) <= absmax ? value : absmax);
            }
        }

        Rows8.AssertPathsAgree(type, 128, Kernels.Store(type, [.. values]), "seed 41");
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Paths_MisalignedSource_Agree(ElementType type)
    {
        byte[] stored = Kernels.Store(type, FloatPalette.Normals(21, 990));
        QuantizedRows expected = Rows8.Run(type, 99, stored, KernelPath.Reference);
        var shifted = new byte[stored.Length + 70];
        for (int offset = 0; offset < 70; offset++)
        {
            stored.CopyTo(shifted, offset);
            foreach (KernelPath path in KernelPaths.Available)
            {
                QuantizedRows actual = Rows8.Run(type, 99, shifted.AsSpan(offset, stored.Length), path);
                Assert.Equal(expected.Codes, actual.Codes);
                Assert.Equal(expected.AbsmaxBits, actual.AbsmaxBits);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Paths_SpansBetweenGuardPages_StayInside(ElementType type)
    {
        byte[] stored = Kernels.Store(type, FloatPalette.Normals(22, 513));
        foreach (GuardSide side in Enum.GetValues<GuardSide>())
        {
            foreach (int count in (int[])[1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 128, 255, 256, 511, 512, 513])
            {
                foreach (KernelPath path in KernelPaths.Available)
                {
                    using var source = new GuardedMemory(count * type.Size(), side);
                    using var codes = new GuardedMemory(count, side);
                    using var absmax = new GuardedMemory(4, side);
                    stored.AsSpan(0, source.Span.Length).CopyTo(source.Span);
                    Span<sbyte> written = codes.As<sbyte>();
                    QuantizeRows8.Run(type, count, source.Span, absmax.As<float>(), written, path);
                    sbyte[] expected = Rows8.Run(type, count, source.Span, KernelPath.Reference).Codes;
                    Assert.Equal(expected, written.ToArray());
                    written.Clear();
                    QuantizeRows8.Encode(type, source.Span, absmax.As<float>()[0], written, path);
                    Assert.Equal(expected, written.ToArray());
                }
            }
        }
    }

    [Fact]
    public void Pieces_AnyCuts_GiveTheWholeRow() => Prop.ForAll(Inputs.ToArbitrary(), input =>
    {
        var random = new Random(input.Seed);
        int count = input.Columns * 8, size = input.Type.Size();
        byte[] source = Kernels.Store(input.Type, InHalfRange(random, count, input.NonFinite));
        QuantizedRows whole = Rows8.Run(input.Type, count, source, KernelPath.Reference);
        foreach (KernelPath path in KernelPaths.Available)
        {
            var codes = new sbyte[count];
            float absmax = 0;
            bool finite = true;
            int[] cuts = [0, .. Enumerable.Range(0, 3).Select(_ => random.Next(count + 1)).Order(), count];
            for (int i = 0; i + 1 < cuts.Length; i++)
            {
                finite &= QuantizeRows8.RowAbsmax(input.Type, source.AsSpan(cuts[i] * size, (cuts[i + 1] - cuts[i]) * size), ref absmax, path);
            }

            for (int i = 0; i + 1 < cuts.Length; i++)
            {
                Range piece = cuts[i]..cuts[i + 1];
                QuantizeRows8.Encode(input.Type, source.AsSpan(cuts[i] * size, (cuts[i + 1] - cuts[i]) * size), absmax, codes.AsSpan(piece), path);
            }

            Assert.Equal(whole.Finite, finite);
            Assert.Equal(whole.AbsmaxBits[0], BitConverter.SingleToInt32Bits(absmax));
            Assert.Equal(whole.Codes, codes);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void RoundToHalf_EveryWidth_IsThatOfTheDefinition()
    {
        // All bfloat16 that stay finite, and float32 values around every tie between two float16.
        var narrow = new List<float>();
        for (int bits = 0; bits < 0x4780; bits++) narrow.Add(BitConverter.Int32BitsToSingle(bits << 16));
        AssertRounds<BF16Element>(narrow);

        var wide = new List<float>(narrow);
        for (int bits = 0; bits < 0x7C00; bits++)
        {
            float low = (float)BitConverter.UInt16BitsToHalf((ushort)bits);
            float high = bits == 0x7BFF ? 65536 : (float)BitConverter.UInt16BitsToHalf((ushort)(bits + 1));
            float tie = (low + high) / 2;
            wide.AddRange([low, MathF.BitIncrement(low), MathF.BitDecrement(tie)]);
            if (bits < 0x7BFF) wide.AddRange([tie, MathF.BitIncrement(tie)]);
        }

        AssertRounds<F32Element>(wide);
    }

    private static void AssertRounds<TElement>(List<float> magnitudes)
        where TElement : struct, IElement
    {
        float[] values = [.. magnitudes, .. magnitudes.Select(value => -value)];
        Array.Resize(ref values, (values.Length + 15) / 16 * 16);
        for (int i = 0; i < values.Length; i += 16)
        {
            var wide = Vector512.Create(values, i);
            var rounded = TElement.RoundToHalf(wide);
            var upper = TElement.RoundToHalf(wide.GetUpper());
            var last = TElement.RoundToHalf(wide.GetUpper().GetUpper());
            for (int lane = 0; lane < 16; lane++)
            {
                float expected = (float)(Half)values[i + lane];
                Assert.True(expected == rounded[lane], $"{values[i + lane]:G9}: {expected:G9}, {rounded[lane]:G9}");
                if (lane >= 8) Assert.Equal(expected, upper[lane - 8] + 0f);
                if (lane >= 12) Assert.Equal(expected, last[lane - 12] + 0f);
            }
        }
    }

    /// <summary>A float32 on the middle between two float16 values near a value, or next to the middle.</summary>
    private static float BetweenHalves(Random random, float near)
    {
        int bits = (BitConverter.SingleToInt32Bits(near) & ~0x1FFF) | 0x1000;
        return BitConverter.Int32BitsToSingle(bits + random.Next(-1, 2));
    }

    /// <summary>The palette's values, most of them brought into the range of float16.</summary>
    private static float[] InHalfRange(Random random, int count, bool nonFinite)
    {
        float[] values = FloatPalette.Mixed(random, count, nonFinite);
        float scale = MathF.ScaleB(1, random.Next(-24, 14));
        for (int i = 0; i < count; i++)
        {
            float size = Math.Abs(values[i]);
            if (size < 100) values[i] *= scale;
            else if (!nonFinite && size >= 65520) values[i] = MathF.CopySign(65519.996f, values[i]);
        }

        return values;
    }
}
