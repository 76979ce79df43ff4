using System.Numerics;

namespace Bnb.Engine.Evaluating.Operators;

/// <summary>Softmax of one row in float32.</summary>
internal static class Softmax
{
    /// <summary>values[i] = e^(values[i] - max) / (sum of the same, and of the sink when there is one).</summary>
    /// <param name="values">At least one.</param>
    /// <param name="sink">A logit that takes its share of the probability and gives nothing (gpt_oss); null for none.</param>
    public static void Run(Span<float> values, float? sink)
    {
        float max = sink ?? float.NegativeInfinity;
        foreach (float value in values) max = MathF.Max(max, value);
        float sum = Exponentials(values, max);
        if (sink is { } logit) sum += MathF.Exp(logit - max);
        var scale = new Vector<float>(1 / sum);
        int i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count) (new Vector<float>(values[i..]) * scale).CopyTo(values[i..]);
        for (; i < values.Length; i++) values[i] *= 1 / sum;
    }

    /// <summary>values[i] = e^(values[i] - max).</summary>
    /// <returns>Their sum.</returns>
    private static float Exponentials(Span<float> values, float max)
    {
        Vector<float> sums = default, shift = new(max);
        int i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> power = Vector.Exp(new Vector<float>(values[i..]) - shift);
            power.CopyTo(values[i..]);
            sums += power;
        }

        float sum = Vector.Sum(sums);
        for (; i < values.Length; i++)
        {
            values[i] = MathF.Exp(values[i] - max);
            sum += values[i];
        }

        return sum;
    }
}
