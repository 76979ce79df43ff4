using Bnb.Quant.Backends;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.Quant.Search;
using Bnb.TestKit;

namespace Bnb.Quant.Tests.Search;

/// <summary>The search for the scales of INT4 groups and LLM.int8() rows.</summary>
public class SearchIntegerTests
{
    public static TheoryData<ElementType, ElementType> ScaleTypes() => new()
    {
        { ElementType.F32, ElementType.F32 }, { ElementType.F32, ElementType.BF16 }, { ElementType.F32, ElementType.F16 },
        { ElementType.BF16, ElementType.BF16 }, { ElementType.F16, ElementType.F16 },
    };

    [Theory]
    [MemberData(nameof(ScaleTypes))]
    public void Groups_AnyValues_GiveTheDefinitionsBytesOnEveryPath(ElementType type, ElementType scaleType)
    {
        foreach (int groupSize in (int[])[32, 128])
        {
            float[] values = FloatPalette.Mixed(new Random(groupSize), groupSize * 5, nonFinite: false);
            FloatPalette.Normals(7, 2 * groupSize, 0.02f).CopyTo(values, groupSize);
            // float16 has no room for all of the palette.
            if (type == ElementType.F16) values = [.. values.Select(value => Math.Clamp(value, -6e4f, 6e4f))];
            foreach (float[]? importance in (float[]?[])[null, Weights(groupSize)])
            {
                (byte[] scales, byte[] packed) = Groups(type, scaleType, groupSize, values, KernelPath.Reference, importance);
                foreach (KernelPath path in Kernels.FastPaths)
                {
                    (byte[] otherScales, byte[] otherPacked) = Groups(type, scaleType, groupSize, values, path, importance);
                    Assert.Equal(scales, otherScales);
                    Assert.Equal(packed, otherPacked);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(ScaleTypes))]
    public void Groups_NormalWeights_GainTwelvePercent(ElementType type, ElementType scaleType)
    {
        const int count = 128 * 256;
        float[] values = Stored(type, FloatPalette.Normals(8, count, 0.02f));
        var scales = new byte[256 * type.Size()];
        var packed = new byte[count / 2];
        QuantizeGroups4.Run(type, 128, symmetric: true, Kernels.Store(type, values), scales, [], packed, KernelPaths.Selected);
        double before = GroupError(values, scales, type, packed);
        (scales, packed) = Groups(type, scaleType, 128, values, KernelPaths.Selected, null);
        Assert.InRange(1 - (GroupError(values, scales, scaleType, packed) / before), 0.12, 0.4);
    }

    [Fact]
    public void Groups_NormalWeights_AreNeverWorseThanAnyScaleOfTheType()
    {
        float[] values = Stored(ElementType.BF16, FloatPalette.Normals(9, 128 * 4, 0.02f));
        (byte[] scales, byte[] packed) = Groups(ElementType.BF16, ElementType.BF16, 128, values, KernelPaths.Selected, null);
        for (int group = 0; group < 4; group++)
        {
            float[] x = values[(128 * group)..(128 * (group + 1))];
            double found = GroupError(x, scales.AsSpan(2 * group, 2), ElementType.BF16, packed.AsSpan(64 * group, 64));
            double best = double.PositiveInfinity;
            for (int bits = 1; bits < 65536; bits++)
            {
                float scale = BitConverter.Int32BitsToSingle(bits << 16);
                if (MathF.Abs(scale) is > 1e-5f and < 1f) best = Math.Min(best, x.Sum(value => Least(value, scale)));
            }

            Assert.InRange(found, 0, best * (1 + 1e-9));
        }
    }

    [Fact]
    public void Groups_AllZero_AreWrittenAsWithoutASearch()
    {
        (byte[] scales, byte[] packed) = Groups(ElementType.BF16, ElementType.BF16, 64, new float[128], KernelPaths.Selected, null);
        var expectedScales = new byte[4];
        var expectedPacked = new byte[64];
        QuantizeGroups4.Run(ElementType.BF16, 64, symmetric: true, new byte[256], expectedScales, [], expectedPacked, KernelPaths.Selected);
        Assert.Equal(expectedScales, scales);
        Assert.Equal(expectedPacked, packed);
    }

    [Theory]
    [InlineData(ElementType.F32)]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    public void Rows_AnyValues_GiveTheDefinitionsBytesOnEveryPath(ElementType type)
    {
        foreach (int columns in (int[])[1, 7, 40])
        {
            float[] values = FloatPalette.Normals(columns, columns * 5, 0.05f);
            values.AsSpan(columns, columns).Clear();
            (float[] scb, sbyte[] codes) = Rows(type, columns, values, KernelPath.Reference);
            foreach (KernelPath path in Kernels.FastPaths)
            {
                (float[] otherScb, sbyte[] otherCodes) = Rows(type, columns, values, path);
                Assert.Equal(scb, otherScb);
                Assert.Equal(codes, otherCodes);
            }
        }
    }

    [Fact]
    public void Rows_HeavyTails_LoseNothingAndGain()
    {
        const int columns = 1024, rows = 8;
        var random = new Random(4);
        var values = new float[columns * rows];
        for (int i = 0; i < values.Length; i++) values[i] = (float)(Half)(FloatPalette.Normal(random) / MathF.Max(0.2f, MathF.Abs(FloatPalette.Normal(random))));
        var absmax = new float[rows];
        var codes = new sbyte[values.Length];
        QuantizeRows8.Run(ElementType.F32, columns, Kernels.Store(ElementType.F32, values), absmax, codes, KernelPaths.Selected);
        (float[] scb, sbyte[] searched) = Rows(ElementType.F32, columns, values, KernelPaths.Selected);
        double before = 0, after = 0;
        for (int i = 0; i < values.Length; i++)
        {
            Assert.InRange(scb[i / columns], 0, absmax[i / columns]);
            before += Math.Pow(values[i] - (codes[i] * (double)absmax[i / columns] / 127), 2);
            after += Math.Pow(values[i] - (searched[i] * (double)scb[i / columns] / 127), 2);
        }

        Assert.InRange(after / before, 0, 0.985);
    }

    [Fact]
    public void Rows_ValueBeyondFloat16_IsReported()
    {
        var values = new float[64];
        values[20] = 65520f;
        Assert.False(SearchRows8.Run(ElementType.F32, 64, Kernels.Store(ElementType.F32, values), default, new float[1], new sbyte[64], KernelPaths.Selected));
    }

    private static (byte[] Scales, byte[] Packed) Groups(
        ElementType type, ElementType scaleType, int groupSize, float[] values, KernelPath path, float[]? importance)
    {
        var scales = new byte[values.Length / groupSize * scaleType.Size()];
        var packed = new byte[values.Length / 2];
        Assert.True(SearchGroups4.Run(type, scaleType, groupSize, Kernels.Store(type, values), new ColumnImportance(importance, 0), scales, packed, path));
        return (scales, packed);
    }

    private static (float[] Scb, sbyte[] Codes) Rows(ElementType type, int columns, float[] values, KernelPath path)
    {
        var scb = new float[values.Length / columns];
        var codes = new sbyte[values.Length];
        Assert.True(SearchRows8.Run(type, columns, Kernels.Store(type, values), default, scb, codes, path));
        return (scb, codes);
    }

    private static float[] Stored(ElementType type, float[] values)
    {
        var stored = new float[values.Length];
        Widen.ToSingle(type, Kernels.Store(type, values), stored);
        return stored;
    }

    private static double GroupError(float[] values, ReadOnlySpan<byte> scales, ElementType type, ReadOnlySpan<byte> packed)
    {
        var widened = new float[scales.Length / type.Size()];
        Widen.ToSingle(type, scales, widened);
        double sum = 0;
        for (int i = 0; i < values.Length; i++)
        {
            double decoded = (double)widened[i / (values.Length / widened.Length)] * (((packed[i / 2] >> (4 * (i % 2))) & 15) - 8);
            sum += (values[i] - decoded) * (values[i] - decoded);
        }

        return sum;
    }

    private static double Least(float value, float scale)
    {
        double nearest = Math.Clamp(Math.Round((double)value / scale), -8, 7) * scale;
        return (value - nearest) * (value - nearest);
    }

    private static float[] Weights(int columns)
    {
        var random = new Random(columns);
        return [.. Enumerable.Range(0, columns).Select(_ => (float)Math.Exp(2 * FloatPalette.Normal(random)))];
    }
}
