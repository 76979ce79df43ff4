using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests.ScaledCodes;

/// <summary>All paths give the bytes of the reference, which gives those of a table, and nobody leaves the spans.</summary>
public class ScaledPathTests
{
    private static readonly float[] E2M1 = [0f, 0.5f, 1f, 1.5f, 2f, 3f, 4f, 6f, -0f, -0.5f, -1f, -1.5f, -2f, -3f, -4f, -6f];

    public static TheoryData<ScaledCode, ElementType, ElementType> Combinations
    {
        get
        {
            var all = new TheoryData<ScaledCode, ElementType, ElementType>();
            foreach (ScaledCode code in Enum.GetValues<ScaledCode>())
                foreach (ElementType through in Kernels.Types)
                    foreach (ElementType type in Kernels.Types) all.Add(code, through, type);
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void Row_EveryLengthAndWidth_IsTheDefinition(ScaledCode code, ElementType through, ElementType type)
    {
        var random = new Random(71);
        foreach (int width in (int[])[1, 7, 16, 24, 32, 128])
        {
            for (int count = 0; count <= 70; count++)
            {
                int phase = random.Next(width), blocks = count == 0 ? 0 : ((phase + count - 1) / width) + 1;
                byte[] codes = RandomCodes(random, code, count);
                float[] scales = FloatPalette.Mixed(random, blocks, nonFinite: true);
                float[] zeros = code == ScaledCode.Unsigned ? [.. scales.Select(_ => (float)random.Next(16))] : [];
                byte[] expected = Definition(code, codes, scales, zeros, phase, width, through, type);
                foreach (KernelPath path in KernelPaths.Available)
                {
                    var actual = new byte[expected.Length];
                    DecodeCodes.Row(code, codes, scales, zeros, phase, width, through, type, actual, path);
                    Assert.True(expected.AsSpan().SequenceEqual(actual), $"{code} {count} codes, width {width}, phase {phase} on {path}");
                }
            }
        }
    }

    [Fact]
    public void Row_SpansBetweenGuardPages_StaysInside()
    {
        foreach (GuardSide side in Enum.GetValues<GuardSide>())
        {
            for (int count = 1; count <= 40; count++)
            {
                foreach (KernelPath path in KernelPaths.Available)
                {
                    using var codes = new GuardedMemory(count, side);
                    using var stored = new GuardedMemory(count * 2, side);
                    codes.Span.Fill(0x38);
                    DecodeCodes.Row(
                        ScaledCode.E4M3, codes.Span, [2f], [], 0, count, ElementType.F32, ElementType.BF16, stored.Span, path);
                    Assert.Equal(Kernels.Store(ElementType.BF16, [.. Enumerable.Repeat(2f, count)]), stored.Span.ToArray());
                }
            }
        }
    }

    [Fact]
    public void LowFirst4_EveryLength_PutsTheLowerHalfFirst()
    {
        for (int count = 0; count <= 70; count++)
        {
            byte[] packed = [.. Enumerable.Range(0, count).Select(i => (byte)((i * 37) + 5))];
            var codes = new byte[count * 2];
            UnpackCodes.LowFirst4(packed, codes);
            Assert.Equal(packed.SelectMany(pair => (byte[])[(byte)(pair & 15), (byte)(pair >> 4)]), codes);
        }
    }

    [Fact]
    public void ToSingle_EveryExponent_IsAPowerOfTwoUpToTheLast()
    {
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];
        float[] exact = Scales(ScaleCode.E8M0, bytes), plain = Scales(ScaleCode.Exponent, bytes), half = Scales(ScaleCode.HalfExponent, bytes);
        for (int i = 0; i < 255; i++)
        {
            Assert.Equal(Math.Pow(2, i - 127), exact[i]);
            Assert.Equal(exact[i], plain[i]);
            Assert.Equal(Math.Pow(2, i - 128), half[i]);
        }

        Assert.True(float.IsNaN(exact[255]));
        Assert.Equal(float.PositiveInfinity, plain[255]);
        Assert.Equal(Math.Pow(2, 127), half[255]);
    }

    [Theory]
    [InlineData(4, 3, 0, 0)]
    [InlineData(4, 1, 4, 4)]
    [InlineData(4, 1, -1, 4)]
    [InlineData(4, 1, 0, 0)]
    [InlineData(5, 1, 0, 4)]
    public void Row_SpansThatDisagree_Throws(int codes, int scales, int phase, int width) =>
        Assert.ThrowsAny<ArgumentException>(() => DecodeCodes.Row(
            ScaledCode.E4M3, new byte[codes], new float[scales], [], phase, width, ElementType.F32, ElementType.F32, new byte[16], KernelPath.Reference));

    private static float[] Scales(ScaleCode code, byte[] stored)
    {
        var scales = new float[stored.Length];
        DecodeScales.ToSingle(code, stored, scales);
        return scales;
    }

    private static byte[] RandomCodes(Random random, ScaledCode code, int count)
    {
        var codes = new byte[count];
        random.NextBytes(codes);
        if (code is ScaledCode.E2M1 or ScaledCode.TwiceE2M1)
            foreach (ref byte value in codes.AsSpan()) value &= 15;
        return codes;
    }

    private static byte[] Definition(
        ScaledCode code, byte[] codes, float[] scales, float[] zeros, int phase, int width, ElementType through, ElementType type)
    {
        float[] values = [.. codes.Select((value, i) =>
        {
            int block = (phase + i) / width;
            float number = code switch
            {
                ScaledCode.E4M3 => E4M3(value),
                ScaledCode.E2M1 => E2M1[value],
                ScaledCode.TwiceE2M1 => 2 * E2M1[value],
                _ => value - zeros[block],
            };
            float product = number * scales[block];
            return float.IsNaN(product) ? BitConverter.UInt32BitsToSingle(0x7FC0_0000) : product;
        })];
        if (through != type && through != ElementType.F32)
        {
            byte[] rounded = new byte[values.Length * through.Size()];
            Narrow.FromSingle(through, values, rounded);
            Widen.ToSingle(through, rounded, values);
        }

        var stored = new byte[values.Length * type.Size()];
        Narrow.FromSingle(type, values, stored);
        return stored;
    }

    private static float E4M3(byte code)
    {
        int exponent = (code >> 3) & 15, fraction = code & 7;
        if ((code & 0x7F) == 0x7F) return float.NaN;
        double magnitude = exponent == 0 ? fraction * Math.Pow(2, -9) : (8 + fraction) * Math.Pow(2, exponent - 10);
        return (float)(code >= 128 ? -magnitude : magnitude);
    }
}
