namespace Bnb.Quant.Nested;

/// <summary>
/// The mean of a tensor's absmax values, which is the offset of the nested quantization. Upstream's sum runs in an order of
/// torch's own that changes between devices; ours is fixed: float64 partial sums over 256 values in index order, the partial
/// sums added in index order, one division, one rounding to float32. Partial sums can so be made by any worker or device.
/// Bounded: the float64 sum of n non-negative float32 is within (256 + n/256) * 2^-53 relative, hence the offset is within
/// one unit in the last place of the exact mean's rounding.
/// </summary>
public static class AbsmaxMean
{
    /// <summary>The partial sums: one per 256 values, the last of fewer. NaN and infinity propagate.</summary>
    /// <param name="absmax">Values that begin at a multiple of 256 of their tensor. Empty gives none.</param>
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

    /// <summary>The offset: the partial sums in index order, over the number of values, rounded once; 0 for no values.</summary>
    /// <param name="sums">All partial sums of the tensor.</param>
    /// <param name="count">Its absmax values.</param>
    public static float Of(ReadOnlySpan<double> sums, long count)
    {
        double sum = 0;
        foreach (double partial in sums) sum += partial;
        return count == 0 ? 0f : (float)(sum / count);
    }

    /// <summary>The same over all absmax values at once.</summary>
    public static float Of(ReadOnlySpan<float> absmax)
    {
        var sums = new double[(absmax.Length + NestedAbsmax.Blocksize - 1) / NestedAbsmax.Blocksize];
        BlockSums(absmax, sums);
        return Of(sums, absmax.Length);
    }
}
