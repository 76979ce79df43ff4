using Bnb.Engine.Evaluating.Measures;
using Bnb.Engine.Evaluating.Operators;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>Measures that are made while logits arrive, against the definitions over whole rows.</summary>
public class LogitMeasuresTests
{
    private const int Positions = 5, Vocabulary = 37;

    private static readonly int[] Targets = [3, 36, -1, 0, 20];

    [Theory]
    [InlineData(37)]
    [InlineData(10)]
    [InlineData(1)]
    public void Result_AnyRuns_AreTheDefinitions(int run)
    {
        float[][] reference = Logits(seed: 1, spread: 9), quantized = Logits(seed: 2, spread: 9);

        LogitComparison result = Measure(reference, quantized, run);

        int next = 0;
        for (int i = 0; i < Positions; i++)
        {
            double[] p = Probabilities(reference[i]), q = Probabilities(quantized[i]);
            double divergence = Enumerable.Range(0, Vocabulary).Sum(token => p[token] * Math.Log(p[token] / q[token]));
            Assert.Equal(divergence, result.Divergence[i], 1e-12);
            int[] bestP = Best(p), bestQ = Best(q);
            Assert.Equal(bestP[0] == bestQ[0], result.SameBest[i]);
            Assert.Equal(bestP.Intersect(bestQ).Count() / 5.0, result.SharedBest[i]);
            if (Targets[i] < 0) continue;
            Assert.Equal(Math.Log(p[Targets[i]]), result.ReferenceLogs[next], 1e-12);
            Assert.Equal(Math.Log(q[Targets[i]]), result.QuantizedLogs[next++], 1e-12);
        }

        Assert.Equal(4, result.ReferenceLogs.Count);
    }

    [Fact]
    public void Result_LargeLogits_StayFinite()
    {
        float[][] reference = Logits(seed: 1, spread: 30000), quantized = Logits(seed: 1, spread: 30000);

        LogitComparison result = Measure(reference, quantized, run: 7);

        Assert.All(result.Divergence, divergence => Assert.Equal(0, divergence, 1e-9));
    }

    [Fact]
    public void Percentiles_TenValues_LieBetweenNeighbours()
    {
        Distribution distribution = Distribution.Of([.. Enumerable.Range(1, 11).Select(i => (double)i).Reverse()]);

        Assert.Equal((6, 6, 10, 10.5, 11), (distribution.Mean, distribution.Median, distribution.P90, distribution.P95, distribution.Maximum));
        Assert.Equal(Math.Sqrt(11.0 / 11), distribution.StandardError, 1e-12);
    }

    private static LogitComparison Measure(float[][] reference, float[][] quantized, int run)
    {
        var measures = new LogitMeasures(Targets);
        for (int first = 0; first < Vocabulary; first += run)
        {
            int count = Math.Min(run, Vocabulary - first);
            measures.Add(first, Part(reference), Part(quantized), threads: 2);

            TokenMatrix Part(float[][] rows) => new([.. rows.SelectMany(row => row[first..(first + count)])], 0, Positions, count);
        }

        return measures.Result();
    }

    private static float[][] Logits(int seed, float spread)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, Positions).Select(_ => Enumerable.Range(0, Vocabulary).Select(_ => (random.NextSingle() - 0.5f) * spread).ToArray())];
    }

    private static double[] Probabilities(float[] logits)
    {
        double max = logits.Max(), sum = logits.Sum(logit => Math.Exp(logit - max));
        return [.. logits.Select(logit => Math.Exp(logit - max) / sum)];
    }

    private static int[] Best(double[] probabilities) =>
        [.. Enumerable.Range(0, Vocabulary).OrderByDescending(token => probabilities[token]).ThenBy(token => token).Take(5)];
}
