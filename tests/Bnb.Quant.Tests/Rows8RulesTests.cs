using Bnb.Quant.Backends;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>The written rules of the row-wise 8-bit quantizer, on every path.</summary>
public class Rows8RulesTests
{
    public static TheoryData<KernelPath> Paths() => [.. KernelPaths.Available];

    [Theory]
    [MemberData(nameof(Paths))]
    public void Quantize_SmallRow_IsAsByHand(KernelPath path)
    {
        // scale 1: codes are the values, ties to even.
        QuantizedRows result = Rows8.RunRow(ElementType.F32, path, 127, -127, 0.5f, 1.5f, -2.5f, 3.25f, 0, -0f);
        Assert.Equal((sbyte[])[127, -127, 0, 2, -2, 3, 0, 0], result.Codes);
        Assert.Equal(127f, result.Absmax[0]);
        Assert.True(result.Finite);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Quantize_Scale_IsTheReciprocalTimes127(KernelPath path)
    {
        // For this absmax the two ways to a scale differ, and so do the codes of some value.
        int found = 0;
        for (int bits = 0x3800; bits < 0x3C00; bits++)
        {
            float absmax = (float)BitConverter.UInt16BitsToHalf((ushort)bits), scale = 1f / absmax * 127f;
            if (scale == 127f / absmax) continue;
            for (int i = 0x2000; i < bits; i++)
            {
                float value = (float)BitConverter.UInt16BitsToHalf((ushort)i);
                if (MathF.Round(value * scale) == MathF.Round(value * (127f / absmax))) continue;
                float[] row = new float[40];
                row[7] = -absmax;
                row[20] = value;
                Assert.Equal((sbyte)MathF.Round(value * scale), Rows8.RunRow(ElementType.F16, path, row).Codes[20]);
                found++;
            }
        }

        Assert.InRange(found, 100, int.MaxValue);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Quantize_ValuesBetweenHalves_AreRoundedFirst(KernelPath path)
    {
        // 1 + 2^-11 is a tie of float16 and goes to 1; the next float32 goes up.
        foreach ((float value, float half) in ((float, float)[])[(1 + 1f / 2048, 1f), (MathF.BitIncrement(1 + 1f / 2048), 1 + 1f / 1024), (65519.996f, 65504f)])
        {
            float[] row = new float[33];
            row[32] = value;
            Assert.Equal(half, Rows8.RunRow(ElementType.F32, path, row).Absmax[0]);
        }

        // Below half of the least float16 nothing is left; bfloat16 reaches that far, too.
        foreach (ElementType type in (ElementType[])[ElementType.F32, ElementType.BF16])
        {
            float[] tiny = [.. Enumerable.Repeat(MathF.ScaleB(1, -25), 40)];
            QuantizedRows zero = Rows8.RunRow(type, path, tiny);
            Assert.Equal(0f, zero.Absmax[0]);
            Assert.All(zero.Codes, code => Assert.Equal(0, code));
            tiny[3] = MathF.ScaleB(-1.5f, -25);
            QuantizedRows one = Rows8.RunRow(type, path, tiny);
            Assert.Equal(MathF.ScaleB(1, -24), one.Absmax[0]);
            Assert.Equal(-127, one.Codes[3]);
            Assert.Equal(0, one.Codes[4]);
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Quantize_ZeroRow_IsZero(KernelPath path)
    {
        foreach (ElementType type in Kernels.Types)
        {
            QuantizedRows result = Rows8.RunRow(type, path, [.. Enumerable.Range(0, 65).Select(i => i % 2 == 0 ? 0f : -0f)]);
            Assert.Equal(0, result.AbsmaxBits[0]);
            Assert.All(result.Codes, code => Assert.Equal(0, code));
            Assert.True(result.Finite);
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Quantize_NaN_IsSkippedAndZero(KernelPath path)
    {
        foreach (ElementType type in Kernels.Types)
        {
            float[] row = [.. Enumerable.Range(0, 65).Select(i => i - 32f)];
            row[0] = float.NaN;
            row[64] = -float.NaN;
            QuantizedRows result = Rows8.RunRow(type, path, row);
            Assert.Equal(31f, result.Absmax[0]);
            Assert.Equal((0, -127, 127, 0), (result.Codes[0], result.Codes[1], result.Codes[63], result.Codes[64]));
            Assert.False(result.Finite);

            result = Rows8.RunRow(type, path, [.. Enumerable.Repeat(float.NaN, 65)]);
            Assert.Equal(0, result.AbsmaxBits[0]);
            Assert.All(result.Codes, code => Assert.Equal(0, code));
            Assert.False(result.Finite);
        }
    }

    [Theory]
    [InlineData(ElementType.F32, float.NegativeInfinity)]
    [InlineData(ElementType.F16, float.PositiveInfinity)]
    [InlineData(ElementType.BF16, float.PositiveInfinity)]
    [InlineData(ElementType.F32, 65520f)]
    [InlineData(ElementType.F32, -3e38f)]
    [InlineData(ElementType.BF16, 65536f)]
    public void Quantize_InfinityOrBeyondFloat16_MakesTheRowZero(ElementType type, float value)
    {
        foreach (KernelPath path in KernelPaths.Available)
        {
            float[] values = FloatPalette.Normals(3, 3 * 70);
            values[75] = value;
            QuantizedRows result = Rows8.Run(type, 70, Kernels.Store(type, values), path);
            Assert.Equal(float.PositiveInfinity, result.Absmax[1]);
            Assert.All(result.Codes[70..140], code => Assert.Equal(0, code));
            Assert.Contains(result.Codes[..70], code => Math.Abs(code) == 127);
            Assert.Contains(result.Codes[140..], code => Math.Abs(code) == 127);
            Assert.False(result.Finite);
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Encode_AbsmaxOfAnotherRow_IsRefused(KernelPath path)
    {
        foreach (ElementType type in Kernels.Types)
        {
            float[] values = [.. Enumerable.Repeat(1f, 9000)];
            values[8500] = -2f;
            byte[] stored = Kernels.Store(type, values);
            var codes = new sbyte[9000];
            foreach (float absmax in (float[])[1.999f, 0, -2, float.NaN])
            {
                Assert.Throws<ArgumentOutOfRangeException>(() => QuantizeRows8.Encode(type, stored, absmax, codes, path));
            }

            // Larger ones are fine: the row's largest value may be in another piece.
            QuantizeRows8.Encode(type, stored, 4f, codes, path);
            Assert.Equal(-64, codes[8500]);
            QuantizeRows8.Encode(type, stored, float.PositiveInfinity, codes, path);
            Assert.All(codes, code => Assert.Equal(0, code));
        }
    }

    [Fact]
    public void Arguments_ThatDoNotFit_AreRefused()
    {
        static void Throws<T>(int columns, int source, int rows, int codes, ElementType type = ElementType.F32)
            where T : ArgumentException => Assert.Throws<T>(() => QuantizeRows8.Run(
                type, columns, new byte[source], new float[rows], new sbyte[codes], KernelPath.Reference));

        Throws<ArgumentOutOfRangeException>(0, 0, 0, 0);
        Throws<ArgumentOutOfRangeException>(-3, 12, 1, 3);
        Throws<ArgumentOutOfRangeException>(3, 12, 1, 3, (ElementType)9);
        Throws<ArgumentException>(3, 12, 1, 4);
        Throws<ArgumentException>(3, 13, 1, 3);
        Throws<ArgumentException>(int.MaxValue, 12, 3, 3);
        float absmax = 0;
        Assert.Throws<ArgumentException>(() => QuantizeRows8.RowAbsmax(ElementType.BF16, new byte[3], ref absmax, KernelPath.Reference));
        Assert.Throws<ArgumentException>(() => QuantizeRows8.Encode(ElementType.F16, new byte[3], 1, new sbyte[1], KernelPath.Reference));
        Assert.Throws<ArgumentException>(() => QuantizeRows8.Encode(ElementType.F16, new byte[4], 1, new sbyte[1], KernelPath.Reference));
        Assert.True(QuantizeRows8.Run(ElementType.F16, 5, [], [], [], KernelPaths.Selected));
    }
}
