using System.Globalization;
using System.Text;

namespace Bnb.Formats.Primitives;

/// <summary>
/// The dimensions of a stored tensor, outermost first, and their product. The empty shape is a scalar and has one element.
/// Compared by value.
/// </summary>
public sealed class TensorShape : IEquatable<TensorShape>
{
    private readonly long[] _dimensions;

    private TensorShape(long[] dimensions, long elementCount)
    {
        _dimensions = dimensions;
        ElementCount = elementCount;
    }

    /// <summary>The shape of a scalar: no dimensions, one element.</summary>
    public static TensorShape Scalar { get; } = new([], 1);

    /// <summary>The dimensions, outermost first; each is 0 or more.</summary>
    public IReadOnlyList<long> Dimensions => _dimensions;

    /// <summary>Number of dimensions.</summary>
    public int Rank => _dimensions.Length;

    /// <summary>Product of the dimensions; 1 for a scalar.</summary>
    public long ElementCount { get; }

    /// <summary>One dimension, outermost first.</summary>
    public long this[int index] => _dimensions[index];

    /// <summary>Makes a shape from its dimensions, outermost first.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is negative.</exception>
    /// <exception cref="OverflowException">The element count does not fit 63 bits.</exception>
    public static TensorShape Of(params ReadOnlySpan<long> dimensions)
    {
        foreach (long dimension in dimensions) ArgumentOutOfRangeException.ThrowIfNegative(dimension, nameof(dimensions));
        return TryOf(dimensions) ?? throw new OverflowException("the element count of a shape does not fit 63 bits");
    }

    /// <inheritdoc/>
    public bool Equals(TensorShape? other) => other is not null && _dimensions.AsSpan().SequenceEqual(other._dimensions);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TensorShape);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (long dimension in _dimensions) hash.Add(dimension);
        return hash.ToHashCode();
    }

    /// <summary>The dimensions in brackets, for example <c>[4096, 11008]</c>; at most 16 of them are shown.</summary>
    public override string ToString()
    {
        const int MostShown = 16;
        var text = new StringBuilder("[");
        for (int i = 0; i < Math.Min(Rank, MostShown); i++)
        {
            if (i > 0) text.Append(", ");
            text.Append(CultureInfo.InvariantCulture, $"{_dimensions[i]}");
        }

        return text.Append(Rank > MostShown ? ", ...]" : "]").ToString();
    }

    /// <summary>Whether these are its dimensions.</summary>
    internal bool Is(ReadOnlySpan<long> dimensions) => dimensions.SequenceEqual(_dimensions);

    /// <summary>As <see cref="Of"/> for dimensions known not to be negative; null when the product overflows.</summary>
    internal static TensorShape? TryOf(ReadOnlySpan<long> dimensions)
    {
        // Left to right as the reference multiplies, so that a huge dimension before a 0 is still an overflow.
        long count = 1;
        foreach (long dimension in dimensions)
        {
            if (Math.BigMul(count, dimension, out count) != 0 || count < 0) return null;
        }

        return dimensions.Length == 0 ? Scalar : new TensorShape(dimensions.ToArray(), count);
    }
}
