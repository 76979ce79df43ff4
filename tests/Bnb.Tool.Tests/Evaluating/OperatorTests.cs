using Bnb.Engine.Evaluating.Operators;
using Bnb.Quant.Backends;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>Operators against their definitions in float64.</summary>
public class OperatorTests
{
    [Fact]
    public void Apply_EachActivation_IsItsDefinition()
    {
        float[] x = [.. Enumerable.Range(-120, 241).Select(i => i / 16f)];
        AssertClose(x, Activation.Silu, v => v / (1 + Math.Exp(-v)));
        AssertClose(x, Activation.Relu, v => Math.Max(v, 0));
        AssertClose(x, Activation.GeluTanh, v => 0.5 * v * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (v + (0.044715 * v * v * v)))));
        AssertClose(x, Activation.Gelu, v => 0.5 * v * (1 + Erf(v / Math.Sqrt(2))));
        AssertClose(x, Activation.ClippedGelu, v => Math.Clamp(0.5 * v * (1 + Erf(v / Math.Sqrt(2))), -10, 10));
        AssertClose(x, Activation.QuickGelu, v => v / (1 + Math.Exp(-1.702 * v)));
        AssertClose(x, Activation.SquaredRelu, v => v > 0 ? v * v : 0);
        AssertClose(x, Activation.Relu6, v => Math.Clamp(v, 0, 6));
        AssertClose(x, Activation.LeakyRelu, v => v < 0 ? 0.01 * v : v);
        AssertClose(x, Activation.HardSwish, v => v * Math.Clamp(v + 3, 0, 6) / 6);
        AssertClose(x, Activation.Mish, v => v * Math.Tanh(Math.Log(1 + Math.Exp(v))));
        AssertClose(x, Activation.Sigmoid, v => 1 / (1 + Math.Exp(-v)));
        AssertClose(x, Activation.Tanh, Math.Tanh);
        AssertClose(x, Activation.Linear, v => v);
    }

    [Fact]
    public void Choose_NegativeCorrections_NeverTakesAnExpertOfADroppedGroup()
    {
        // The kept group's second expert is worth less than nothing, and still before those of the other group.
        float[] logits = [Logit(0.9f), Logit(0.2f), Logit(0.5f), Logit(0.5f)];
        var rule = new RouterRule(RouterScoring.Sigmoid, TopK: 2, Normalize: false, Scale: 1, Groups: 2, GroupsKept: 1);

        (int Expert, float Weight)[] chosen = Routing.Choose(rule, logits, [1, -0.5f, 0, 0]);

        Assert.Equal([0, 1], chosen.Select(item => item.Expert));
    }

    [Fact]
    public void Apply_AnyPlaceInASpan_GivesTheSameBits()
    {
        float[] values = [.. Enumerable.Range(0, 37).Select(i => (i - 18) * 0.37f)];
        float[] together = [.. values];
        Activations.Apply(Activation.Gelu, together);

        for (int i = 0; i < values.Length; i++)
        {
            float[] alone = [values[i]];
            Activations.Apply(Activation.Gelu, alone);
            Assert.Equal(together[i], alone[0]);
        }
    }

    [Theory]
    [InlineData(null, null, false, 1)]
    [InlineData(7, null, false, 3)]
    [InlineData(null, 4f, false, 2)]
    [InlineData(300, null, true, 2)]
    [InlineData(5, 3f, true, 4)]
    public void Attention_LongContexts_IsTheDefinition(int? window, float? cap, bool sinks, int threads)
    {
        // More tokens than a block of queries, in two contexts, two query heads per key head.
        int[] lengths = [290, 13];
        int tokens = lengths.Sum();
        var shape = new AttentionShape(4, 2, 6, 5, 0.4f, window, cap);
        TokenMatrix query = Random(tokens, 24, 1), key = Random(tokens, 12, 2), value = Random(tokens, 10, 3);
        TokenMatrix output = Random(tokens, 20, 4);
        float[]? logits = sinks ? [0.5f, -1, 2, 0] : null;

        Attention.Run(shape, [0..290, 290..303], query, key, value, logits, output, threads, KernelPaths.Selected);

        for (int token = 0; token < tokens; token++)
        {
            int start = token < 290 ? 0 : 290, from = Math.Max(start, token - (window ?? tokens) + 1);
            for (int head = 0; head < 4; head++)
            {
                double[] scores = [.. Enumerable.Range(from, token - from + 1).Select(other =>
                {
                    double score = 0.4 * Enumerable.Range(0, 6).Sum(c => (double)query.Row(token)[(head * 6) + c] * key.Row(other)[(head / 2 * 6) + c]);
                    return cap is { } most ? most * Math.Tanh(score / most) : score;
                })];
                double sum = scores.Sum(Math.Exp) + (logits is null ? 0 : Math.Exp(logits[head]));
                for (int c = 0; c < 5; c++)
                {
                    double expected = Enumerable.Range(0, scores.Length).Sum(i => Math.Exp(scores[i]) / sum * value.Row(from + i)[(head / 2 * 5) + c]);
                    Assert.Equal(expected, output.Row(token)[(head * 5) + c], 2e-6);
                }
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rotate_PartOfAHead_TurnsPairsAndLeavesTheRest(bool interleaved)
    {
        float[] frequencies = [1f, 0.25f];
        var table = new RotaryTable(frequencies, 2, interleaved, 10);
        float[] head = [1, 2, 3, 4, 5, 6];

        table.Rotate(head, 7);

        for (int i = 0; i < 2; i++)
        {
            (int a, int b) = interleaved ? (2 * i, (2 * i) + 1) : (i, i + 2);
            double x = a + 1, y = b + 1, angle = 7 * frequencies[i];
            Assert.Equal(2 * ((x * Math.Cos(angle)) - (y * Math.Sin(angle))), head[a], 1e-5);
            Assert.Equal(2 * ((y * Math.Cos(angle)) + (x * Math.Sin(angle))), head[b], 1e-5);
        }

        Assert.Equal([5f, 6f], head[4..]);
    }

    [Fact]
    public void Choose_GroupedSigmoid_TakesTheBestOfTheBestGroups()
    {
        // Group worths: 0.5 + 0.5, 0.9 + 0.1, 0.6 + 0.55 after the correction.
        float[] logits = [Logit(0.5f), Logit(0.5f), Logit(0.9f), Logit(0.1f), Logit(0.6f), Logit(0.05f)];
        float[] correction = [0, 0, 0, 0, 0, 0.5f];
        var rule = new RouterRule(RouterScoring.Sigmoid, TopK: 2, Normalize: true, Scale: 3, Groups: 3, GroupsKept: 1);

        (int Expert, float Weight)[] chosen = Routing.Choose(rule, logits, correction);

        Assert.Equal([4, 5], chosen.Select(item => item.Expert));
        Assert.Equal(3 * 0.6 / 0.65, chosen[0].Weight, 1e-5);
        Assert.Equal(3 * 0.05 / 0.65, chosen[1].Weight, 1e-5);
    }

    private static float Logit(float probability) => MathF.Log(probability / (1 - probability));

    private static TokenMatrix Random(int rows, int width, int seed)
    {
        var random = new Random(seed);
        return new TokenMatrix([.. Enumerable.Range(0, rows * width).Select(_ => (random.NextSingle() - 0.5f) * 4)], 0, rows, width);
    }

    private static void AssertClose(float[] x, Activation activation, Func<double, double> definition)
    {
        float[] y = [.. x];
        Activations.Apply(activation, y);
        for (int i = 0; i < x.Length; i++) Assert.Equal(definition(x[i]), y[i], 3e-6);
    }

    /// <summary>By its series, which converges everywhere; terms cancel, but not to 1e-9 below 6.</summary>
    private static double Erf(double x)
    {
        if (Math.Abs(x) > 4.5) return Math.Sign(x);
        double term = x, sum = x;
        for (int n = 1; n < 120; n++)
        {
            term *= -x * x / n;
            sum += term / ((2 * n) + 1);
        }

        return 2 / Math.Sqrt(Math.PI) * sum;
    }
}
