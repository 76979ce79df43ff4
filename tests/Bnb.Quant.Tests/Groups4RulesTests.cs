using Bnb.Quant.Backends;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Tests;

/// <summary>The rules of INT4 groups at the edges, on every path, each as hand-made numbers.</summary>
public class Groups4RulesTests
{
    public static TheoryData<ElementType, float> Epsilons() => new()
    {
        { ElementType.F32, 1.1920929e-7f }, { ElementType.F16, 0.0009765625f }, { ElementType.BF16, 0.0078125f },
    };

    [Theory]
    [MemberData(nameof(Epsilons))]
    public void ZeroGroup_HasScaleEpsilonAndCode8(ElementType type, float epsilon)
    {
        foreach (float zero in (float[])[0f, -0f])
        {
            float[] values = [.. Enumerable.Repeat(zero, 32)];
            AssertGroup(type, true, values, epsilon, 0, [.. Enumerable.Repeat(8, 32)]);
            AssertGroup(type, false, values, epsilon, 0, [.. Enumerable.Repeat(8, 32)]);
        }
    }

    [Theory]
    [InlineData(ElementType.F32)]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    public void Symmetric_RoundsHalfToEvenAndClamps(ElementType type)
    {
        // Scale 1: the largest value, 7.5, is clamped to 7; its negative reaches -8.
        float[] values = Padded(7.5f, -7.5f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 6.5f, -6.5f, 0.25f, -0f, 7f, -7f);
        AssertGroup(type, true, values, 1f, 0, Codes(8, 15, 0, 8, 10, 10, 8, 6, 6, 14, 2, 8, 8, 15, 1));
    }

    [Theory]
    [InlineData(ElementType.F32)]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    public void Asymmetric_PutsTheRangeOnAllCodes(ElementType type)
    {
        // Ties are ties of the sum: 1.5 - 3 goes to -2, -1.5 - 3 to -4.
        AssertGroup(type, false, Padded(-5f, 10f, 0f, 1.5f, -1.5f), 1f, -3, Codes(5, 0, 15, 5, 6, 4));
        AssertGroup(type, false, Padded(15f, 4f, 0.5f), 1f, -8, Codes(0, 15, 4, 0));
        AssertGroup(type, false, Padded(-15f, -4f, -0.5f), 1f, 7, Codes(15, 0, 11, 14));
    }

    [Theory]
    [InlineData(ElementType.F32, 1e-45f)]
    [InlineData(ElementType.F16, 5.9604645e-8f)]
    public void ScaleThatRoundsToZero_BecomesEpsilonAfterTheZeroPoint(ElementType type, float smallest)
    {
        float epsilon = type == ElementType.F32 ? 1.1920929e-7f : 0.0009765625f;
        AssertGroup(type, true, Padded(smallest, -smallest), epsilon, 0, Codes(8, 8, 8));
        // 0/0 gives zero point 0, -x/0 the largest.
        AssertGroup(type, false, Padded(smallest), epsilon, 0, Codes(8, 8));
        AssertGroup(type, false, Padded(-smallest), epsilon, 7, Codes(15, 15));
    }

    [Fact]
    public void BFloat16_RoundsScaleAndQuotientAndSum()
    {
        // 1/7.5 is 0.1337890625 in bfloat16; 0.2001953125 / 0.1337890625 = 1.496 is 1.5, which goes to 2.
        AssertGroup(ElementType.BF16, true, Padded(1f, 0.2001953125f, -0.2001953125f), 0.1337890625f, 0, Codes(8, 15, 10, 6));

        // Scale 1, zero point -3: 0.49609375 - 3 = -2.50390625 is -2.5 in bfloat16, which goes to -2 and not to -3.
        AssertGroup(ElementType.BF16, false, Padded(-5f, 10f, 0.49609375f), 1f, -3, Codes(5, 0, 15, 6));
        AssertGroup(ElementType.F32, false, Padded(-5f, 10f, 0.49609375f), 1f, -3, Codes(5, 0, 15, 5));
    }

    [Theory]
    [InlineData(ElementType.F32)]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    public void NonFinite_IsReportedAndDefined(ElementType type)
    {
        foreach (bool symmetric in (bool[])[true, false])
        {
            AssertGroup(type, symmetric, Padded(1f, float.NaN, -2f), float.NaN, 0, Codes(8, 8, 8, 8), finite: false);
            AssertGroup(
                type, symmetric, Padded(1f, float.NegativeInfinity), float.PositiveInfinity, 0, Codes(8, 8, 8), finite: false);
        }

        AssertGroup(type, true, Padded(1f, float.PositiveInfinity), float.PositiveInfinity, 0, Codes(8, 8, 8), finite: false);
        AssertGroup(
            type, false, Padded(1f, float.PositiveInfinity), float.PositiveInfinity, -8, Codes(0, 0, 8), finite: false);
    }

    [Fact]
    public void RangeBeyondTheType_HasAnInfiniteScaleWhenAsymmetric()
    {
        AssertGroup(ElementType.F16, true, Padded(65504f, -65504f), 8736f, 0, Codes(8, 15, 0));
        AssertGroup(
            ElementType.F16, false, Padded(65504f, -65504f), float.PositiveInfinity, -8, Codes(0, 0, 0));
    }

    [Fact]
    public void QuotientOfFloat16_InFloat32First_IsTheCorrectlyRoundedOne()
    {
        // Division in float32 and then in binary16 rounds twice, which is innocuous for 11 and 24 bits.
        var random = new Random(3);
        for (int i = 0; i < 2_000_000; i++)
        {
            float x = (float)BitConverter.UInt16BitsToHalf((ushort)random.Next(0x7C00));
            float s = (float)BitConverter.UInt16BitsToHalf((ushort)random.Next(1, 0x7C00));
            // Float64 has room for quotients of 11-bit numbers to be at least 2^-24 from a tie, so it rounds once in effect.
            Assert.Equal((Half)((double)x / s), (Half)(x / s));
        }
    }

    [Fact]
    public void ZeroPoints4_AnyStripe_GoesThereAndBack()
    {
        var random = new Random(4);
        for (int rows = 1; rows <= 8; rows++)
        {
            foreach (int groups in (int[])[0, 1, 5, 64])
            {
                sbyte[] zeros = [.. Enumerable.Range(0, rows * groups).Select(_ => (sbyte)random.Next(-8, 8))];
                var packed = new int[groups];
                Array.Fill(packed, -1);
                ZeroPoints4.Pack(rows, groups, zeros, packed);
                for (int i = 0; i < zeros.Length; i++)
                {
                    Assert.Equal(zeros[i], (sbyte)(((packed[i % groups] >> (i / groups * 4)) & 0xF) - 8));
                }

                Assert.All(packed, word => Assert.Equal(0, rows == 8 ? 0 : word >>> (rows * 4)));
                var back = new sbyte[zeros.Length];
                ZeroPoints4.Unpack(rows, groups, packed, back);
                Assert.Equal(zeros, back);
            }
        }
    }

    [Fact]
    public void WrongArguments_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Quantize(groupSize: 12));
        Assert.Throws<ArgumentOutOfRangeException>(() => Quantize(groupSize: 0));
        Assert.Throws<ArgumentException>(() => Quantize(source: 130));
        Assert.Throws<ArgumentException>(() => Quantize(scales: 2));
        Assert.Throws<ArgumentException>(() => Quantize(zeros: 0));
        Assert.Throws<ArgumentException>(() => Quantize(zeros: 2, symmetric: true));
        Assert.Throws<ArgumentException>(() => Quantize(packed: 31));
        Quantize();
        Quantize(zeros: 0, symmetric: true);

        Assert.Throws<ArgumentOutOfRangeException>(() => Dequantize(groupSize: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Dequantize(groupSize: 12));
        Assert.Throws<ArgumentException>(() => Dequantize(packed: 33));
        Assert.Throws<ArgumentException>(() => Dequantize(scales: 3));
        Assert.Throws<ArgumentException>(() => Dequantize(zeros: 1));
        Assert.Throws<ArgumentException>(() => Dequantize(values: 72));
        Dequantize();
        Dequantize(zeros: 0);

        Assert.Throws<ArgumentOutOfRangeException>(() => ZeroPoints4.Pack(9, 1, new sbyte[9], new int[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => ZeroPoints4.Pack(1, 1, [(sbyte)8], new int[1]));
        Assert.Throws<ArgumentException>(() => ZeroPoints4.Unpack(2, 3, new int[3], new sbyte[5]));

        static void Quantize(
            int groupSize = 32, int source = 128, int scales = 4, int zeros = 2, int packed = 32, bool symmetric = false) =>
            QuantizeGroups4.Run(
                ElementType.BF16, groupSize, symmetric, new byte[source], new byte[scales], new sbyte[zeros],
                new byte[packed], KernelPath.Reference);

        static void Dequantize(int groupSize = 32, int packed = 32, int scales = 4, int zeros = 2, int values = 64) =>
            DequantizeGroups4.Run(
                ElementType.F16, groupSize, new byte[packed], new byte[scales], new sbyte[zeros], new float[values],
                KernelPath.Reference);
    }

    private static float[] Padded(params float[] values) => [.. values, .. new float[32 - values.Length]];

    private static int[] Codes(int rest, params int[] codes) => [.. codes, .. Enumerable.Repeat(rest, 32 - codes.Length)];

    private static void AssertGroup(
        ElementType type, bool symmetric, float[] values, float scale, int zero, int[] codes, bool finite = true)
    {
        foreach (KernelPath path in KernelPaths.Available)
        {
            Quantized4Groups result = Groups4.Run(type, 32, symmetric, Kernels.Store(type, values), path);
            var found = new float[1];
            Widen.ToSingle(type, result.Scales, found);
            Assert.Equal(scale, found[0]);
            if (!symmetric) Assert.Equal(zero, result.ZeroPoints[0]);
            Assert.Equal(codes, result.Packed.SelectMany(value => (int[])[value & 0xF, value >> 4]));
            Assert.Equal(finite, result.Finite);
        }
    }
}
