namespace Bnb.Quant.Search;

/// <summary>
/// How much an error in each input channel matters, for a run of values of a row-major [out, in] weight: by convention the mean
/// square of the channel's activations. Only ratios within a block count: there every weight is divided by the block's largest
/// and raised to 2^-20 at least. A block whose weights are all 0 counts every value alike.
/// </summary>
public readonly ref struct ColumnImportance
{
    private const float Least = 9.536743e-7f;

    private readonly ReadOnlySpan<float> _columns;
    private readonly long _first;

    /// <param name="columns">One weight per input channel, finite and not negative; empty for no importance.</param>
    /// <param name="first">Index in the weight of the first value of the run.</param>
    /// <exception cref="ArgumentException">A weight is negative or not finite.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The index is negative.</exception>
    public ColumnImportance(ReadOnlySpan<float> columns, long first)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        foreach (float weight in columns)
        {
            if (!(weight >= 0 && weight < float.PositiveInfinity)) throw new ArgumentException($"{weight} is no weight", nameof(columns));
        }

        _columns = columns;
        _first = first;
    }

    /// <summary>One weight per input channel, or nothing.</summary>
    internal ReadOnlySpan<float> Columns => _columns;

    /// <summary>Index in the weight of the first value of the run.</summary>
    internal long First => _first;

    /// <summary>The weights of <paramref name="count"/> values from <paramref name="start"/> of the run on.</summary>
    /// <param name="destination">At least <paramref name="count"/> long; the rest is set to 0.</param>
    /// <returns>The destination, or nothing when every value counts alike.</returns>
    internal ReadOnlySpan<float> Of(long start, int count, Span<float> destination)
    {
        if (_columns.IsEmpty) return default;
        float largest = 0f;
        int column = (int)((_first + start) % _columns.Length);
        for (int i = 0; i < count; i++)
        {
            destination[i] = _columns[column];
            largest = MathF.Max(largest, destination[i]);
            if (++column == _columns.Length) column = 0;
        }

        if (largest == 0) return default;
        for (int i = 0; i < count; i++) destination[i] = MathF.Max(destination[i] / largest, Least);
        destination[count..].Clear();
        return destination;
    }
}
