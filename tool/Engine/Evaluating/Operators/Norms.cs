using System.Numerics;

namespace Bnb.Engine.Evaluating.Operators;

/// <summary>Normalizations of one row; the sums are made in float64.</summary>
internal static class Norms
{
    /// <summary>y[i] = x[i] / sqrt(mean(x^2) + eps) * (offset + weight[i]).</summary>
    /// <param name="row">x, overwritten with y.</param>
    /// <param name="offset">0, or 1 where weights are stored as the distance from 1 (Gemma).</param>
    public static void Rms(Span<float> row, ReadOnlySpan<float> weight, double epsilon, float offset)
    {
        float scale = (float)(1 / Math.Sqrt((SumOfSquares(row) / row.Length) + epsilon));
        for (int i = 0; i < row.Length; i++) row[i] = row[i] * scale * (offset + weight[i]);
    }

    /// <summary>y[i] = (x[i] - mean) / sqrt(variance + eps) * weight[i] + bias[i].</summary>
    /// <param name="row">x, overwritten with y.</param>
    /// <param name="weight">Empty for ones.</param>
    /// <param name="bias">Empty for none.</param>
    public static void Layer(Span<float> row, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, double epsilon)
    {
        double sum = 0;
        foreach (float value in row) sum += value;
        float mean = (float)(sum / row.Length);
        for (int i = 0; i < row.Length; i++) row[i] -= mean;
        float scale = (float)(1 / Math.Sqrt((SumOfSquares(row) / row.Length) + epsilon));
        for (int i = 0; i < row.Length; i++) row[i] = (row[i] * scale * (weight.IsEmpty ? 1 : weight[i])) + (bias.IsEmpty ? 0 : bias[i]);
    }

    /// <summary>The sum of x^2 in float64, in a fixed order.</summary>
    public static double SumOfSquares(ReadOnlySpan<float> values)
    {
        Vector<double> low = default, high = default;
        int i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(values[i..]), out Vector<double> first, out Vector<double> second);
            low += first * first;
            high += second * second;
        }

        double sum = Vector.Sum(low + high);
        for (; i < values.Length; i++) sum += (double)values[i] * values[i];
        return sum;
    }
}
