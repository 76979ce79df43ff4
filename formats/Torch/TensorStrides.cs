namespace Bnb.Formats.Torch;

/// <summary>
/// Where the bytes of a tensor are that do not lie one after the other: dimensions and steps in bytes, outermost first,
/// with neighbouring dimensions joined where they are one. The last dimension is the bytes of an element, or of a row of
/// them, and has a step of 1.
/// </summary>
internal sealed class TensorStrides
{
    private TensorStrides(long start, long[] sizes, long[] steps)
    {
        Start = start;
        Sizes = sizes;
        Steps = steps;
    }

    /// <summary>First byte, counted from the start of the file.</summary>
    public long Start { get; }

    /// <summary>Dimensions; their product is the tensor's bytes.</summary>
    public IReadOnlyList<long> Sizes { get; }

    /// <summary>Bytes from one index to the next; 0 where one value stands for all.</summary>
    public IReadOnlyList<long> Steps { get; }

    /// <summary>The strides of a tensor in bytes, or null when its bytes lie one after the other.</summary>
    /// <param name="start">First byte of the first element in the file.</param>
    /// <param name="sizes">Dimensions in elements, none of them 0.</param>
    /// <param name="strides">Steps in elements, whose products with the dimensions fit 63 bits in bytes.</param>
    /// <param name="elementBytes">Bytes of an element.</param>
    public static TensorStrides? Of(long start, ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, int elementBytes)
    {
        // Innermost first while they are joined.
        List<(long Size, long Step)> joined = [(elementBytes, 1)];
        for (int i = sizes.Length - 1; i >= 0; i--)
        {
            if (sizes[i] == 1) continue;
            (long size, long step) = joined[^1];
            long here = strides[i] * elementBytes;
            if (here == size * step) joined[^1] = (size * sizes[i], step);
            else joined.Add((sizes[i], here));
        }

        if (joined.Count == 1) return null;
        joined.Reverse();
        return new TensorStrides(start, [.. joined.Select(item => item.Size)], [.. joined.Select(item => item.Step)]);
    }
}
