namespace Bnb.Quant.Nested;

/// <summary>
/// The mean of a tensor's absmax values, which is the offset of the nested quantization. Upstream's sum runs in an order of
/// torch's own that changes between devices; ours is exact: it has no order, and is rounded once, to the nearest float32, ties
/// to even. Any worker or device can so add any part. Upstream's float32 sum may differ from it in the last bit.
/// </summary>
/// <remarks>Thread-safe.</remarks>
public sealed class AbsmaxMean
{
    private readonly long[] _bins = new long[ExactMean.Bins];
    private readonly Lock _gate = new();
    private long _count;

    /// <summary>The exact mean of what was added, rounded to float32; 0 of nothing. NaN if one was among it, else infinity if
    /// one was.</summary>
    public float Value
    {
        get
        {
            lock (_gate) return ExactMean.Of(_bins, _count);
        }
    }

    /// <summary>Adds values, whose signs do not count.</summary>
    /// <exception cref="InvalidOperationException">More than 2^36 in all.</exception>
    public void Add(ReadOnlySpan<float> absmax)
    {
        Span<long> own = stackalloc long[ExactMean.Bins];
        Count(absmax, own);
        lock (_gate)
        {
            _count += absmax.Length;
            if (_count > ExactMean.MostValues) throw new InvalidOperationException($"more than {ExactMean.MostValues} values");
            for (int bin = 0; bin < own.Length; bin++) _bins[bin] += own[bin];
        }
    }

    /// <summary>The same of all values at once.</summary>
    public static float Of(ReadOnlySpan<float> absmax)
    {
        Span<long> bins = stackalloc long[ExactMean.Bins];
        Count(absmax, bins);
        return ExactMean.Of(bins, absmax.Length);
    }

    private static void Count(ReadOnlySpan<float> absmax, Span<long> bins)
    {
        bins.Clear();
        foreach (float value in absmax)
        {
            int bits = BitConverter.SingleToInt32Bits(value);
            bins[ExactMean.BinOf(bits)] += ExactMean.ShareOf(bits);
        }
    }
}
