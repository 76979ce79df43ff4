using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>Finding non-finite values, narrowing, and the normal quantiles behind NF4.</summary>
public class NumericsTests
{
    [Fact]
    public void NonFinite_OneOddValueAnywhere_IsFound()
    {
        foreach (ElementType type in Kernels.Types)
        {
            for (int count = 1; count <= 140; count++)
            {
                byte[] stored = Kernels.Store(type, FloatPalette.Normals(count, count));
                Assert.False(NonFinite.Any(type, stored));
                int place = count * 7919 % count, kind = count % FloatPalette.NonFinite.Count;
                place = (place + count * 31) % count;
                Kernels.Store(type, [FloatPalette.NonFinite[kind]]).CopyTo(stored, place * type.Size());
                Assert.True(NonFinite.Any(type, stored), $"{type} count {count} place {place}");
                NonFiniteCount found = NonFinite.Count(type, stored);
                Assert.Equal((1, place), (found.Total, found.FirstIndex));
            }
        }
    }

    [Fact]
    public void NonFinite_LongRunsFromMisalignedStarts_AreSearchedToTheEnd()
    {
        var bytes = new byte[70_001 * 2 + 1];
        Assert.False(NonFinite.Any(ElementType.BF16, bytes.AsSpan(1)));
        bytes[^1] = 0xFF;
        bytes[^2] = 0x80;
        Assert.True(NonFinite.Any(ElementType.BF16, bytes.AsSpan(1)));
        Assert.Equal(new NonFiniteCount(0, 0, 1, 70_000), NonFinite.Count(ElementType.BF16, bytes.AsSpan(1)));
    }

    [Fact]
    public void NonFinite_Kinds_AreCountedApart()
    {
        foreach (ElementType type in Kernels.Types)
        {
            byte[] stored = Kernels.Store(
                type, [1f, -1f / 0f, float.NaN, -float.NaN, 1f / 0f, float.NegativeInfinity, float.NegativeInfinity]);
            Assert.Equal(new NonFiniteCount(2, 1, 3, 1), NonFinite.Count(type, stored));
            Assert.Equal(new NonFiniteCount(0, 0, 0, -1), NonFinite.Count(type, []));
        }

        Assert.Throws<ArgumentException>(() => NonFinite.Any(ElementType.F32, new byte[6]));
    }

    [Fact]
    public void NonFinite_EveryBitPatternOf16Bits_IsRight()
    {
        for (int bits = 0; bits < 65536; bits++)
        {
            byte[] stored = BitConverter.GetBytes((ushort)bits);
            Assert.Equal(!Half.IsFinite(BitConverter.UInt16BitsToHalf((ushort)bits)), NonFinite.Any(ElementType.F16, stored));
            Assert.Equal(!float.IsFinite(BitConverter.Int32BitsToSingle(bits << 16)), NonFinite.Any(ElementType.BF16, stored));
        }
    }

    [Fact]
    public void F64ToF32_OddValues_RoundsToNearestEven()
    {
        double[] values =
        [
            1, -0.0, 1 + Math.Pow(2, -24), 1 + 3 * Math.Pow(2, -24), 1 + Math.Pow(2, -24) + Math.Pow(2, -50), 1e39, -1e39, 1e-46,
            Math.Pow(2, -150), 1.5 * Math.Pow(2, -149), double.NaN, double.NegativeInfinity,
        ];
        float[] expected =
        [
            1, -0f, 1, MathF.BitIncrement(MathF.BitIncrement(1)), MathF.BitIncrement(1), float.PositiveInfinity,
            float.NegativeInfinity, 0, 0, 2 * float.Epsilon, float.NaN, float.NegativeInfinity,
        ];
        var result = new byte[values.Length * 4];
        Narrow.F64ToF32(values.SelectMany(BitConverter.GetBytes).ToArray(), result);
        for (int i = 0; i < values.Length; i++)
        {
            float actual = BitConverter.ToSingle(result, i * 4);
            if (float.IsNaN(expected[i])) Assert.True(float.IsNaN(actual));
            else Assert.Equal(BitConverter.SingleToInt32Bits(expected[i]), BitConverter.SingleToInt32Bits(actual));
        }

        Assert.Throws<ArgumentException>(() => Narrow.F64ToF32(new byte[9], new byte[4]));
        Assert.Throws<ArgumentException>(() => Narrow.F64ToF32(new byte[16], new byte[4]));
    }

    [Theory]
    [InlineData(0.5, 0)]
    [InlineData(0.75, 0.67448975019608171)]
    [InlineData(0.9, 1.2815515655446004)]
    [InlineData(0.975, 1.9599639845400545)]
    public void NormalQuantile_KnownPoints_AreMet(double probability, double expected) =>
        Assert.Equal(expected, NormalQuantile.Of(probability), 1e-14);

    [Fact]
    public void MagnitudeToSingle_EveryFiniteHalf_IsExact()
    {
        for (uint bits = 0; bits < 0x7C00; bits++)
        {
            Assert.Equal((float)BitConverter.UInt16BitsToHalf((ushort)bits), F16Element.MagnitudeToSingle(bits));
        }
    }
}
