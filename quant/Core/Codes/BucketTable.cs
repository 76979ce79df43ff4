namespace Bnb.Quant.Codes;

/// <summary>
/// The rank of x in two table look-ups and one comparison. The line is cut into buckets so narrow that each holds at most
/// one threshold; with b the bucket of x, rank(x) = Ranks[b] + (x &gt; Bounds[b]). Exact although the bucket is computed
/// with rounding, because that computation is monotone: a threshold in a lower bucket is below x, one in a higher bucket
/// above it, and for the one in the same bucket x is compared with the threshold itself.
/// </summary>
internal static class BucketTable<TCode>
    where TCode : struct, ICode4
{
    /// <summary>Buckets per unit. The narrowest gap between thresholds is about 0.0805 and 1/15.4 is about 0.065; and
    /// +-1 must land on +-15 so that signed values need no more than 32 buckets.</summary>
    public const float Density = 15.4f;

    /// <summary>1.5 * 2^23: after adding it the lowest bits of a float32 are the integer part, in two's complement.</summary>
    public const float Shifter = 12582912f;

    /// <summary>By bucket number modulo 32: the threshold inside, +infinity when there is none.</summary>
    public static readonly float[] Bounds = new float[32];

    /// <summary>By bucket number modulo 32: how many thresholds are in lower buckets.</summary>
    public static readonly int[] Ranks = new int[32];

    static BucketTable()
    {
        Array.Fill(Bounds, float.PositiveInfinity);
        for (int bucket = -15; bucket <= 15; bucket++)
        {
            foreach (float bound in TCode.Thresholds)
            {
                if (BucketOf(bound) < bucket) Ranks[bucket & 31]++;
                if (BucketOf(bound) != bucket) continue;
                ref float place = ref Bounds[bucket & 31];
                if (place < float.PositiveInfinity) throw new InvalidOperationException("two thresholds in a bucket");
                place = bound;
            }
        }
    }

    /// <summary>The bucket of |x| &lt;= 1 (or a rounding above), from -15 to 15. Monotone: one rounding to nearest.</summary>
    public static int BucketOf(float x) =>
        BitConverter.SingleToInt32Bits(MathF.FusedMultiplyAdd(x, Density, Shifter)) - BitConverter.SingleToInt32Bits(Shifter);
}
