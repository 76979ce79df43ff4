using System.Numerics;
using Bnb.Quant.Nested;

namespace Bnb.Quant.Tests;

/// <summary>The mean of absmax against exact fractions.</summary>
public sealed class ExactMeanTests
{
    [Fact]
    public void Mean_ValuesOfEveryKind_IsTheFractionRoundedOnce()
    {
        for (int seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var values = new float[1 + random.Next(seed < 200 ? 9 : 600)];
            for (int i = 0; i < values.Length; i++)
            {
                int exponent = seed % 3 == 0 ? random.Next(255) : 120 + random.Next(8);
                values[i] = BitConverter.Int32BitsToSingle((exponent << 23) | random.Next(1 << 23) & (seed % 5 == 0 ? 7 << 20 : -1));
            }

            Assert.Equal(Rounded(values), AbsmaxMean.Of(values));
        }
    }

    [Fact]
    public void Mean_SubnormalsAndTies_AreRoundedToEven()
    {
        float least = float.Epsilon;
        Assert.Equal(0f, AbsmaxMean.Of([least, 0f]));
        Assert.Equal(2 * least, AbsmaxMean.Of([least, 2 * least]));
        Assert.Equal(least, AbsmaxMean.Of([least, least, 0f]));
        float largest = BitConverter.Int32BitsToSingle(0x007F_FFFF);
        Assert.Equal(BitConverter.Int32BitsToSingle(0x0080_0000), AbsmaxMean.Of([largest, BitConverter.Int32BitsToSingle(0x0080_0000)]));
        Assert.Equal(float.MaxValue, AbsmaxMean.Of([float.MaxValue, float.MaxValue, float.MaxValue]));
        Assert.Equal(1f, AbsmaxMean.Of([1f, 1f + 1.1920929e-7f]));
    }

    [Fact]
    public void Mean_OfASumThatFloat64WouldCut_KeepsTheSmallestPart()
    {
        // 2 + 2^-23 over 4 is a tie, and something far below float64's last place that lifts it.
        float[] values = [1f, MathF.BitIncrement(1f), 0f, 0f];
        float tie = AbsmaxMean.Of(values);
        values[2] = MathF.ScaleB(1f, -100);

        Assert.Equal(Rounded(values), AbsmaxMean.Of(values));
        Assert.NotEqual(tie, AbsmaxMean.Of(values));
    }

    /// <summary>The sum as an integer of 2^-149, divided and rounded in integers.</summary>
    private static float Rounded(float[] values)
    {
        BigInteger sum = BigInteger.Zero;
        foreach (float value in values)
        {
            int bits = BitConverter.SingleToInt32Bits(value), exponent = bits >> 23;
            sum += new BigInteger(exponent == 0 ? bits : (bits & 0x7F_FFFF) | 0x80_0000) << Math.Max(0, exponent - 1);
        }

        // Digits of the result: 24, or what is above 2^-149.
        BigInteger whole = sum / values.Length;
        int drop = Math.Max(0, (int)whole.GetBitLength() - 24);
        BigInteger unit = values.Length * (BigInteger.One << drop);
        BigInteger kept = BigInteger.DivRem(sum, unit, out BigInteger rest);
        int side = (2 * rest).CompareTo(unit);
        if (side > 0 || (side == 0 && !kept.IsEven)) kept++;
        return (float)((double)kept * Math.ScaleB(1, drop - 149));
    }
}
