using Bnb.Quant.Codes;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>Four words of a buffer, which a thread moves in one 16-byte access.</summary>
internal struct Quad
{
    public int A;
    public int B;
    public int C;
    public int D;
}

/// <summary>Two words, moved in one 8-byte access.</summary>
internal struct Pair
{
    public int A;
    public int B;
}

/// <summary>What one bucket of a code's line knows, see <see cref="BucketTable{TCode}"/>, in one 8-byte word so that one load
/// brings both: the threshold inside it in the lower half, the number of thresholds below it in the upper.</summary>
internal static class Bucket
{
    public static long Of(float bound, int rank) => ((long)rank << 32) | (uint)Bits.Of(bound);

    public static float Bound(long bucket) => Bits.ToSingle((int)bucket);

    public static int Rank(long bucket) => (int)(bucket >> 32);
}

/// <summary>Words of a quad by number.</summary>
internal static class Words
{
    /// <summary>Word 0 to 3; free where the number is a constant.</summary>
    public static int Of(Quad quad, int word)
    {
        if (word == 0) return quad.A;
        if (word == 1) return quad.B;
        return word == 2 ? quad.C : quad.D;
    }
}
