using Bnb.Quant.Metrics;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>Each metric by hand, the edges, and that pieces add up.</summary>
public class MetricsErrorStatsTests
{
    [Fact]
    public void Add_FourPairs_GivesTheMetricsByHand()
    {
        ErrorStats stats = Of([3, 4, 0, -12], [3, 4.5f, -1, -10]);
        Assert.Equal((4, 0, 3), (stats.Count, stats.NonFinite, stats.WorstIndex));
        Assert.Equal((2, 3.5 / 4), (stats.MaxAbsoluteError, stats.MeanAbsoluteError));
        Assert.Equal(Math.Sqrt(5.25 / 169), stats.RelativeRmse);
        Assert.Equal(10 * Math.Log10(169 / 5.25), stats.SnrDecibels);
        Assert.Equal((9 + 18 + 120) / Math.Sqrt(169.0 * (9 + 20.25 + 1 + 100)), stats.Cosine, 1e-15);
        Assert.Equal((Math.Sqrt(5.25 / 4), 6.5), (stats.Rmse, stats.ReferenceRms));
    }

    [Fact]
    public void Metrics_WithoutPairs_AreThoseOfNoError()
    {
        var stats = new ErrorStats();
        stats.Add([], []);
        Assert.Equal((0, 0, -1), (stats.Count, stats.NonFinite, stats.WorstIndex));
        Assert.Equal((0, 0, 0), (stats.MaxAbsoluteError, stats.MeanAbsoluteError, stats.RelativeRmse));
        Assert.Equal((0, 0), (stats.Rmse, stats.ReferenceRms));
        Assert.Equal((double.PositiveInfinity, 1), (stats.SnrDecibels, stats.Cosine));
    }

    [Fact]
    public void Metrics_ZeroReference_AreDefined()
    {
        ErrorStats wrong = Of([0, 0], [0, -2]);
        Assert.Equal((double.PositiveInfinity, double.NegativeInfinity), (wrong.RelativeRmse, wrong.SnrDecibels));
        Assert.Equal((0, 1), (wrong.Cosine, wrong.WorstIndex));
        ErrorStats right = Of([0, -0f], [0, 0]);
        Assert.Equal((0, double.PositiveInfinity), (right.RelativeRmse, right.SnrDecibels));
        Assert.Equal((1, 0), (right.Cosine, right.WorstIndex));
    }

    [Fact]
    public void Cosine_OppositeAndOrthogonal_IsMinusOneAndZero()
    {
        Assert.Equal(-1, Of([1, 2, 3], [-1, -2, -3]).Cosine);
        Assert.Equal(0, Of([1, 0], [0, 1]).Cosine);
        Assert.Equal(1, Of([1, 2, 3], [2, 4, 6]).Cosine, 1e-15);
    }

    [Fact]
    public void Add_NonFinitePairs_AreCountedAndLeftOut()
    {
        for (int length = 2; length < 40; length++)
        {
            var reference = new float[length];
            var actual = new float[length];
            Array.Fill(reference, 1);
            Array.Fill(actual, 1);
            actual[^1] = 3;
            reference[length / 2 - 1] = float.NaN;
            ErrorStats stats = Of(reference, actual);
            Assert.Equal((length - 1, 1, length - 1), (stats.Count, stats.NonFinite, stats.WorstIndex));
            Assert.Equal((2, Math.Sqrt(4.0 / (length - 1))), (stats.MaxAbsoluteError, stats.RelativeRmse));
        }

        float[] infinities = [float.NegativeInfinity, float.PositiveInfinity, float.NaN];
        Assert.Equal(3, Of([1, float.PositiveInfinity, 1], infinities).NonFinite);
    }

    [Fact]
    public void WorstIndex_EqualErrors_IsTheFirst()
    {
        var reference = new float[5000];
        var actual = new float[5000];
        foreach (int place in (int[])[77, 2047, 2048, 4999]) actual[place] = place % 2 == 0 ? 1 : -1;
        Assert.Equal(77, Of(reference, actual).WorstIndex);
        actual[4998] = 1.5f;
        Assert.Equal(4998, Of(reference, actual).WorstIndex);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(2049)]
    [InlineData(100_003)]
    public void Add_AnyLength_IsThePlainSum(int length)
    {
        float[] reference = FloatPalette.Normals(1, length), noise = FloatPalette.Normals(2, length, 0.1f);
        float[] actual = [.. reference.Zip(noise, (a, b) => a + b)];
        ErrorStats stats = Of(reference, actual);
        double error = 0, power = 0;
        for (int i = 0; i < length; i++)
        {
            error += Math.Pow((double)actual[i] - reference[i], 2);
            power += Math.Pow(reference[i], 2);
        }

        double expected = Math.Sqrt(error / power);
        Assert.Equal(expected, stats.RelativeRmse, expected * 1e-12);
        Assert.Equal(length, stats.Count);
    }

    [Fact]
    public void Merge_PartsInOrder_IsThatOfTheWholeAndRepeatable()
    {
        float[] reference = FloatPalette.Normals(3, 10_000), actual = FloatPalette.Normals(4, 10_000);
        reference[5] = float.NaN;
        ErrorStats whole = Of(reference, actual), first = Merged(), second = Merged();
        Assert.Equal((whole.Count, whole.NonFinite, whole.WorstIndex), (first.Count, first.NonFinite, first.WorstIndex));
        Assert.Equal(whole.MaxAbsoluteError, first.MaxAbsoluteError);
        Assert.Equal(whole.RelativeRmse, first.RelativeRmse, 1e-13);
        Assert.Equal(whole.Cosine, first.Cosine, 1e-13);
        Assert.Equal((first.RelativeRmse, first.Cosine), (second.RelativeRmse, second.Cosine));
        Assert.Equal(first.MeanAbsoluteError, second.MeanAbsoluteError);

        ErrorStats Merged()
        {
            var all = new ErrorStats();
            for (int start = 0; start < reference.Length; start += 777)
            {
                int length = Math.Min(777, reference.Length - start);
                all.Merge(Of(reference.AsSpan(start, length), actual.AsSpan(start, length)));
            }

            all.Merge(new ErrorStats());
            return all;
        }
    }

    [Fact]
    public void Add_UnequalLengths_IsRefused() =>
        Assert.Throws<ArgumentException>(() => new ErrorStats().Add(new float[2], new float[3]));

    private static ErrorStats Of(ReadOnlySpan<float> reference, ReadOnlySpan<float> actual)
    {
        var stats = new ErrorStats();
        stats.Add(reference, actual);
        return stats;
    }
}
