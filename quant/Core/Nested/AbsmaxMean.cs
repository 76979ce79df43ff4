namespace Bnb.Quant;

/// <summary>
/// The mean of a tensor's absmax values, which is the offset of the nested quantization. Upstream's sum runs in an order of
/// torch's own that changes between devices; ours is fixed: float64 partial sums over 256 values in index order, the partial
/// sums added in index order, one division, one rounding to float32. So the result does not depend on how the values arrive.
/// Bounded: the float64 sum of n non-negative float32 is within (256 + n/256) * 2^-53 relative, hence the offset is within
/// one unit in the last place of the exact mean's rounding.
/// </summary>
public sealed class AbsmaxMean
{
    private double _sum;
    private long _count;

    /// <summary>Number of values so far.</summary>
    public long Count => _count;

    /// <summary>The mean of all values so far as float32; 0 when there are none. NaN and infinity propagate.</summary>
    public float Offset => _count == 0 ? 0f : (float)(_sum / _count);

    /// <summary>The partial sums: one per 256 values, the last of fewer.</summary>
    /// <param name="absmax">Values that begin at a multiple of 256 of their tensor.</param>
    /// <param name="sums">ceil(absmax.Length / 256) or more; only that many are written.</param>
    public static void BlockSums(ReadOnlySpan<float> absmax, Span<double> sums)
    {
        for (int block = 0; !absmax.IsEmpty; block++)
        {
            int length = Math.Min(absmax.Length, NestedAbsmax.Blocksize);
            double sum = 0;
            foreach (float value in absmax[..length]) sum += value;
            sums[block] = sum;
            absmax = absmax[length..];
        }
    }

    /// <summary>The offset, from all partial sums of a tensor with <paramref name="count"/> absmax values.</summary>
    public static float Of(ReadOnlySpan<double> sums, long count)
    {
        double sum = 0;
        foreach (double partial in sums) sum += partial;
        return count == 0 ? 0f : (float)(sum / count);
    }

    /// <summary>Adds the next values in index order.</summary>
    /// <param name="absmax">Any length for the last span, a multiple of 256 for all before it. Empty changes nothing.</param>
    /// <exception cref="InvalidOperationException">An earlier span was not a multiple of 256 long.</exception>
    public void Add(ReadOnlySpan<float> absmax)
    {
        if (absmax.IsEmpty) return;
        if (_count % NestedAbsmax.Blocksize != 0)
        {
            throw new InvalidOperationException(
                $"after {_count} values, which is no multiple of {NestedAbsmax.Blocksize}, no more can be added");
        }

        _count += absmax.Length;
        while (!absmax.IsEmpty)
        {
            int length = Math.Min(absmax.Length, NestedAbsmax.Blocksize);
            double partial = 0;
            foreach (float value in absmax[..length]) partial += value;
            _sum += partial;
            absmax = absmax[length..];
        }
    }
}
