using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>Decoding of row-wise 8-bit codes, and the calculated error of normal weights.</summary>
public class Rows8DequantizeTests
{
    private static readonly float[] Scales = [1f, 0.0421f, 65504f, 5.9604645e-8f, 0f, -0f, -2f, 3e38f, 1e-44f, float.PositiveInfinity, float.NaN];

    public static TheoryData<ElementType> Types() => [.. Kernels.Types];

    [Fact]
    public void Reciprocal_Is_TheNearestTo1Over127() => Assert.Equal((float)(1.0 / 127), DequantizeRows8.Reciprocal);

    [Theory]
    [MemberData(nameof(Types))]
    public void Decode_EveryCode_IsTwoProductsAndOneRounding(ElementType type)
    {
        sbyte[] codes = [.. Scales.SelectMany(_ => Enumerable.Range(-128, 256).Select(code => (sbyte)code))];
        float[] values = [.. codes.Select((code, i) => (float)(code * Scales[i / 256]) * 7.874015718698502e-3f)];
        var expected = new byte[codes.Length * type.Size()];
        Narrow.FromSingle(type, values, expected);
        foreach (KernelPath path in KernelPaths.Available)
        {
            Assert.Equal(expected, Rows8.Decode(type, 256, codes, Scales, path));
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Decode_EveryWidthTo70_IsThatOfTheReference(ElementType type)
    {
        var random = new Random(51);
        for (int columns = 1; columns <= 70; columns++)
        {
            var codes = new sbyte[3 * columns];
            random.NextBytes(MemoryMarshal.AsBytes(codes.AsSpan()));
            float[] absmax = FloatPalette.Mixed(random, 3, nonFinite: true);
            byte[] expected = Rows8.Decode(type, columns, codes, absmax, KernelPath.Reference);
            foreach (KernelPath path in Kernels.FastPaths)
            {
                Assert.Equal(expected, Rows8.Decode(type, columns, codes, absmax, path));
            }
        }
    }

    [Fact]
    public void Decode_ToFloats_IsDecodingToF32()
    {
        var codes = new sbyte[5 * 77];
        new Random(52).NextBytes(MemoryMarshal.AsBytes(codes.AsSpan()));
        float[] absmax = FloatPalette.Normals(53, 5);
        foreach (KernelPath path in KernelPaths.Available)
        {
            var values = new float[codes.Length];
            DequantizeRows8.Run(77, codes, absmax, values, path);
            Assert.Equal(Rows8.Decode(ElementType.F32, 77, codes, absmax, path), MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Decode_SpansBetweenGuardPages_StaysInside(ElementType type)
    {
        foreach (GuardSide side in Enum.GetValues<GuardSide>())
        {
            for (int count = 1; count <= 70; count++)
            {
                foreach (KernelPath path in KernelPaths.Available)
                {
                    using var codes = new GuardedMemory(count, side);
                    using var stored = new GuardedMemory(count * type.Size(), side);
                    codes.Span.Fill(0x81);
                    DequantizeRows8.Run(count, codes.As<sbyte>(), [127f], type, stored.Span, path);
                    Assert.Equal(Kernels.Store(type, [.. Enumerable.Repeat(-127f, count)]), stored.Span.ToArray());
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void RoundTrip_FiniteValues_StaysWithinHalfAStep(ElementType type)
    {
        byte[] stored = Kernels.Store(type, FloatPalette.Normals(54, 40 * 300, 0.05f));
        var source = new float[40 * 300];
        Widen.ToSingle(type, stored, source);
        QuantizedRows result = Rows8.Run(type, 300, stored, KernelPaths.Selected);
        var decoded = new float[source.Length];
        DequantizeRows8.Run(300, result.Codes, result.Absmax, decoded, KernelPaths.Selected);
        for (int i = 0; i < decoded.Length; i++)
        {
            // Half a step; the rounding to float16, which keeps 11 bits; and a few roundings to float32 of at most absmax.
            float absmax = result.Absmax[i / 300];
            double bound = absmax / 254.0 + Math.Abs(source[i]) * Math.ScaleB(1, -11) + absmax * 1e-6;
            Assert.InRange(Math.Abs((double)decoded[i] - source[i]), 0, bound);
        }
    }

    [Theory]
    [InlineData(ElementType.F32, 64)]
    [InlineData(ElementType.BF16, 300)]
    [InlineData(ElementType.F32, 4096)]
    [InlineData(ElementType.F16, 16384)]
    public void Theory_OfOurQuantizer_IsWithinSevenSigma(ElementType type, int columns)
    {
        int rows = (1 << 21) / columns;
        byte[] stored = Kernels.Store(type, FloatPalette.Normals(60 + columns, rows * columns));
        var source = new float[rows * columns];
        Widen.ToSingle(type, stored, source);
        QuantizedRows result = Rows8.Run(type, columns, stored, KernelPaths.Selected);
        var decoded = new float[source.Length];
        DequantizeRows8.Run(columns, result.Codes, result.Absmax, decoded, KernelPaths.Selected);

        // As in MetricsTheory4Tests: per row, errors - theory^2 * values has mean zero.
        double theory = TheoryRows8.RelativeRmse(columns);
        double[] excess = new double[rows];
        for (int i = 0; i < source.Length; i++)
        {
            excess[i / columns] += (Math.Pow((double)decoded[i] - source[i], 2) - Math.Pow(theory * source[i], 2)) / columns;
        }

        double mean = excess.Average();
        double sigma = Math.Sqrt(excess.Sum(value => Math.Pow(value - mean, 2)) / (rows - 1) / rows);
        Assert.InRange(mean, -7 * sigma, 7 * sigma);
        Assert.InRange(7 * sigma / (2 * theory * theory), 0, 0.06);
    }

    [Theory]
    [InlineData(64, 0.593)]
    [InlineData(256, 0.696)]
    [InlineData(1024, 0.786)]
    [InlineData(4096, 0.867)]
    [InlineData(16384, 0.942)]
    public void Theory_Table_IsThatOfTheDocumentation(int columns, double percent) =>
        Assert.Equal(percent, 100 * TheoryRows8.RelativeRmse(columns), 0.0005);

    [Fact]
    public void Theory_KnownMoments_AreMet()
    {
        // One column is exact. Of two values the larger magnitude has mean square 1 + 2/pi.
        Assert.Equal(0, TheoryRows8.RelativeRmse(1));
        double two = Math.Sqrt(0.5 * (1 + 2 / Math.PI) / 12) / 127;
        Assert.Equal(1, TheoryRows8.RelativeRmse(2) / two, 1e-9);
        Assert.Throws<ArgumentOutOfRangeException>(() => TheoryRows8.RelativeRmse(0));
    }

    [Fact]
    public void Arguments_ThatDoNotFit_AreRefused()
    {
        static void Throws<T>(int columns, int codes, int rows, int bytes, ElementType type)
            where T : ArgumentException => Assert.Throws<T>(() => DequantizeRows8.Run(
                columns, new sbyte[codes], new float[rows], type, new byte[bytes], KernelPath.Reference));

        Throws<ArgumentOutOfRangeException>(0, 0, 0, 0, ElementType.F32);
        Throws<ArgumentOutOfRangeException>(2, 4, 2, 16, (ElementType)9);
        Throws<ArgumentException>(2, 5, 2, 10, ElementType.F16);
        Throws<ArgumentException>(2, 4, 2, 10, ElementType.F16);
        Assert.Throws<ArgumentException>(() => DequantizeRows8.Run(2, new sbyte[4], new float[2], new float[3], KernelPath.Reference));
    }
}
