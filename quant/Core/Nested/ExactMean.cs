namespace Bnb.Quant.Nested;

/// <summary>
/// The mean of float32 magnitudes out of integer bins, one for each exponent: bin e holds the sum of the 24-bit significands of
/// all values whose exponent field is e, so the values in it are worth bin * 2^(e - 150). Integers only: no order, no
/// rounding, the same on every device. The bins are taken from the lowest to the highest, and what moves below 2^-64 of the
/// running unit leaves a mark, so the mean is rounded once, to nearest, ties to even.
/// </summary>
internal struct ExactMean
{
    /// <summary>Bins of a sum: one per exponent field. 0, which no value needs, counts NaNs; 255 counts infinities.</summary>
    public const int Bins = 256;

    /// <summary>The bin of NaNs.</summary>
    public const int NaNs = 0;

    /// <summary>The bin of infinities.</summary>
    public const int Infinities = 255;

    /// <summary>The most values: so that a bin and the running sum stay below 2^63, and a quotient has more than 24
    /// bits.</summary>
    public const long MostValues = 1L << 36;

    private const int Significand = 24, InfinityBits = 0x7F80_0000;

    /// <summary>The NaN of a mean.</summary>
    public const int NaNBits = 0x7FC0_0000;

    private ulong _whole, _fraction;
    private bool _below;

    /// <summary>The bin of a value's bits.</summary>
    public static int BinOf(int bits)
    {
        int exponent = (bits >> 23) & 0xFF;
        if (exponent == Infinities) return (bits & 0x7F_FFFF) != 0 ? NaNs : Infinities;
        return exponent == 0 ? 1 : exponent;
    }

    /// <summary>What a value adds to its bin: its significand, or 1 for what is no number.</summary>
    public static int ShareOf(int bits)
    {
        int exponent = (bits >> 23) & 0xFF, fraction = bits & 0x7F_FFFF;
        if (exponent == Infinities) return 1;
        return exponent == 0 ? fraction : fraction | 0x80_0000;
    }

    /// <summary>Takes the next bin; from 1 to the highest that is not empty, all of them.</summary>
    public void Take(ulong bin)
    {
        _below |= (_fraction & 1) != 0;
        _fraction = (_fraction >> 1) | (_whole << 63);
        _whole = (_whole >> 1) + bin;
    }

    /// <summary>The mean's float32 bits.</summary>
    /// <param name="exponent">The last bin taken.</param>
    /// <param name="count">How many values there were, from 1 to <see cref="MostValues"/>.</param>
    public readonly int Over(int exponent, ulong count)
    {
        if (_whole == 0) return 0;
        // 64 bits from the first one set, and a mark for the rest.
        ulong sum = _whole, rest = _fraction;
        int scale = exponent - 150;
        while ((sum >> 63) == 0)
        {
            sum = (sum << 1) | (rest >> 63);
            rest <<= 1;
            scale--;
        }

        ulong quotient = sum / count;
        bool below = _below || rest != 0 || quotient * count != sum;
        int length = 0;
        for (ulong left = quotient; left != 0; left >>= 1) length++;
        // At least 26 bits, so something is always dropped: more of them where the result is subnormal.
        int drop = length - Significand;
        if (scale + drop < -149) drop = -149 - scale;
        if (drop > 63) return 0;
        ulong kept = quotient >> drop, half = 1UL << (drop - 1), dropped = quotient & (half + (half - 1));
        bool up = dropped > half || (dropped == half && (below || (kept & 1) != 0));
        if (up) kept++;
        // A carry into the next exponent, or out of the subnormals, is what the addition does by itself.
        int field = scale + drop + 149;
        return kept < 0x80_0000 ? (int)kept : (field << 23) + (int)kept;
    }

    /// <summary>The mean of what is in the bins.</summary>
    /// <param name="bins">All <see cref="Bins"/>.</param>
    /// <param name="count">How many values there were; 0 gives 0.</param>
    public static float Of(ReadOnlySpan<long> bins, long count)
    {
        if (bins[NaNs] != 0) return BitConverter.Int32BitsToSingle(NaNBits);
        if (bins[Infinities] != 0) return BitConverter.Int32BitsToSingle(InfinityBits);
        int highest = Infinities - 1;
        while (highest > 0 && bins[highest] == 0) highest--;
        if (highest == 0) return 0f;
        var mean = new ExactMean();
        for (int bin = 1; bin <= highest; bin++) mean.Take((ulong)bins[bin]);
        return BitConverter.Int32BitsToSingle(mean.Over(highest, (ulong)count));
    }
}
