using System.Numerics;
using System.Runtime.InteropServices;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.LowRank;

/// <summary>
/// The weight that a LoRA adapter makes of another: W + s * (L R), where L is [rows, rank] (PEFT's <c>lora_B</c>, or
/// <c>lora_embedding_A</c> transposed) and R is [rank, columns] (<c>lora_A</c>, or <c>lora_embedding_B</c> transposed).
/// Source: PEFT 0.21, <c>tuners/lora/layer.py</c> (<c>get_delta_weight</c>, <c>merge</c>) and <c>tuners/lora/dora.py</c>.
/// </summary>
public static class LowRankUpdate
{
    private const int Strip = 1024;

    /// <summary>
    /// Adds the update to a piece of one row, in float32: the products of each value are added in order of the rank, from
    /// zero, then scaled, then added to W; nothing is fused, so that the result depends on no machine. A library's own matrix
    /// product may add in another order and differ in the last bits.
    /// </summary>
    /// <param name="left">The row of L: as many values as the rank.</param>
    /// <param name="right">R, row-major.</param>
    /// <param name="columns">Columns of R.</param>
    /// <param name="first">The piece's first column.</param>
    /// <param name="scaling">s.</param>
    /// <param name="values">The piece of W; becomes W + s * (L R).</param>
    /// <exception cref="ArgumentException">R is not rank times columns long, or the piece leaves the row.</exception>
    public static void AddRow(
        ReadOnlySpan<float> left, ReadOnlySpan<float> right, int columns, int first, float scaling, Span<float> values)
    {
        BlockGrid.CheckLength(nameof(right), (long)left.Length * columns, right.Length);
        if (first < 0 || (long)first + values.Length > columns)
            throw new ArgumentException($"columns {first} to {first + values.Length} are not in a row of {columns}", nameof(values));
        Span<float> sums = stackalloc float[Strip];
        for (int done = 0; done < values.Length; done += Strip)
        {
            int count = Math.Min(Strip, values.Length - done);
            Span<float> strip = sums[..count];
            strip.Clear();
            for (int k = 0; k < left.Length; k++) AddScaled(left[k], right.Slice((k * columns) + first + done, count), strip);
            Scale(scaling, strip);
            AddScaled(1f, strip, values.Slice(done, count));
        }
    }

    /// <summary>
    /// The Euclidean length of a row as DoRA divides by it: the square root of the sum of squares, summed in float64 in the
    /// order of the columns and rounded to float32 once.
    /// </summary>
    /// <param name="sum">The sum of squares of the row's earlier pieces; the new one is returned.</param>
    /// <param name="values">The next piece.</param>
    public static double AddSquares(double sum, ReadOnlySpan<float> values)
    {
        foreach (float value in values) sum += (double)value * value;
        return sum;
    }

    /// <summary>Multiplies a piece of a row with DoRA's factor, magnitude / length, in float32.</summary>
    /// <param name="magnitude">The row's entry of <c>lora_magnitude_vector</c>.</param>
    /// <param name="sumOfSquares">Of the whole row.</param>
    /// <param name="values">The piece.</param>
    public static void Normalize(float magnitude, double sumOfSquares, Span<float> values) =>
        Scale(magnitude / (float)Math.Sqrt(sumOfSquares), values);

    // One product and one sum per value: the same bits whatever the width of a vector.
    private static void AddScaled(float factor, ReadOnlySpan<float> values, Span<float> sums)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        Span<Vector<float>> places = MemoryMarshal.Cast<float, Vector<float>>(sums);
        var factors = new Vector<float>(factor);
        for (int i = 0; i < vectors.Length; i++) places[i] += vectors[i] * factors;
        for (int i = vectors.Length * Vector<float>.Count; i < values.Length; i++) sums[i] += values[i] * factor;
    }

    private static void Scale(float factor, Span<float> values)
    {
        foreach (ref float value in values) value *= factor;
    }
}
