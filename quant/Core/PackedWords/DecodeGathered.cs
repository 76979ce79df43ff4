using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.PackedWords;

/// <summary>Integers whose group depends on their column alone (GPTQ with <c>desc_act</c>, which orders columns by their
/// activations).</summary>
public static class DecodeGathered
{
    private const int Strip = 512;

    /// <summary>value = (code - zero[group]) * scale[group], one float32 product, rounded to <paramref name="type"/>. Exact in
    /// the IEEE sense.</summary>
    /// <param name="codes">A byte per code: a piece of one row.</param>
    /// <param name="groups">The group of each code's column, inside of <paramref name="scales"/>.</param>
    /// <param name="scales">The row's scales, one per group.</param>
    /// <param name="zeros">The row's zero points, one per group.</param>
    /// <param name="type">The type to write.</param>
    /// <param name="destination">type.Size() bytes for each code, little-endian, any alignment.</param>
    /// <exception cref="ArgumentException">A span's length is not what the codes need.</exception>
    /// <exception cref="IndexOutOfRangeException">A group is not one of the row's.</exception>
    public static void Row(
        ReadOnlySpan<byte> codes,
        ReadOnlySpan<int> groups,
        ReadOnlySpan<float> scales,
        ReadOnlySpan<float> zeros,
        ElementType type,
        Span<byte> destination)
    {
        int size = type.Size();
        BlockGrid.CheckLength(nameof(groups), codes.Length, groups.Length);
        BlockGrid.CheckLength(nameof(zeros), scales.Length, zeros.Length);
        BlockGrid.CheckLength(nameof(destination), (long)codes.Length * size, destination.Length);
        Span<float> values = stackalloc float[Strip];
        for (int done = 0; done < codes.Length; done += Strip)
        {
            int count = Math.Min(Strip, codes.Length - done);
            for (int i = 0; i < count; i++)
            {
                int group = groups[done + i];
                values[i] = (codes[done + i] - zeros[group]) * scales[group];
            }

            Narrow.FromSingle(type, values[..count], destination.Slice(done * size, count * size));
        }
    }
}
