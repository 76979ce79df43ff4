using Bnb.Quant.Backends;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Search;

/// <summary>
/// LLM.int8() rows with a better SCB than absmax: per row the one, at most absmax, whose codes leave the least squared error.
/// Larger values are cut off to 127 steps. Layout and decoding are those of <see cref="QuantizeRows8"/>.
/// </summary>
public static class SearchRows8
{
    /// <summary>Of the SCBs those are compared that have so many significant bits; the best one is then refined to all
    /// bits.</summary>
    public const int SignificantBits = 10;

    /// <summary>
    /// Quantizes whole rows. Every value is first rounded to float16, as the loader's cast does; code = round(clamp(value * (1 /
    /// SCB) * 127)), half to even, in float32. Exact: the same bytes on every path.
    /// </summary>
    /// <param name="type">What <paramref name="source"/> holds.</param>
    /// <param name="columns">Values per row, at least 1.</param>
    /// <param name="source">scb.Length rows as stored: little-endian, any alignment. No rows are allowed.</param>
    /// <param name="importance">What an error in each value weighs.</param>
    /// <param name="scb">One positive float32 per row; 0 for a row of zeros, whose codes are 0.</param>
    /// <param name="codes">One code per value, in the order of the values.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <returns>Whether every value is finite as float16. When not, the output is not defined.</returns>
    /// <exception cref="ArgumentException">A span's length is not what rows and columns need.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The element type is not supported, or there are no columns.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static bool Run(
        ElementType type,
        int columns,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<float> scb,
        Span<sbyte> codes,
        KernelPath path)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        long count = (long)columns * scb.Length;
        BlockGrid.CheckLength(nameof(codes), count, codes.Length);
        BlockGrid.CheckLength(nameof(source), count * type.Size(), source.Length);
        KernelPaths.Require(path);
        var row = new LoadedBlock<Int8Table>(type, columns, path);
        ScaleFinder find = ScaleFinders.On<Int8Table, ShortScales>(path, new ShortScales(SignificantBits));
        for (int i = 0; i < scb.Length; i++)
        {
            // Infinite as float16 counts as well, hence the second question.
            if (!row.Load(source, i) || !row.RoundToHalf()) return false;
            Span<sbyte> target = codes.Slice(i * columns, columns);
            scb[i] = row.Absmax;
            if (row.Absmax == 0)
            {
                target.Clear();
                continue;
            }

            ScaleChoice choice = row.Search(find, importance, (long)i * columns);
            if (choice.Index >= 0) scb[i] = choice.Scale;
            ReadOnlySpan<byte> found = row.Encode(scb[i]);
            for (int column = 0; column < columns; column++) target[column] = (sbyte)found[column];
        }

        return true;
    }
}
