using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bnb.Quant.Codes;

/// <summary>
/// The dynamic 8-bit code of x in two table look-ups and one comparison, as <see cref="BucketTable{TCode}"/> does it for 4
/// bits. Buckets are 1/64 of a binade of |x|, per sign, cut off below 2^-22 and above 1; each holds at most one bound.
/// </summary>
internal static class DynamicBuckets
{
    private const int BucketsPerBinadeLog2 = 6;
    private const int Shift = 23 - BucketsPerBinadeLog2;
    private const int SmallestBits = (127 - 22) << 23;
    private const int LargestBits = 127 << 23;

    /// <summary>Buckets of one sign; those of negative values follow those of positive ones.</summary>
    private const int SideLength = ((LargestBits - SmallestBits) >> Shift) + 1;

    private static readonly float[] Bounds = new float[2 * SideLength];
    private static readonly byte[] Codes = new byte[2 * SideLength];

    static DynamicBuckets()
    {
        Array.Fill(Bounds, float.PositiveInfinity);
        float[] bounds = CreateBounds();
        foreach (float bound in bounds)
        {
            int bucket = BucketOf(bound);
            if (Bounds[bucket] < float.PositiveInfinity) throw new InvalidOperationException("two bounds in a bucket");
            Bounds[bucket] = bound;
        }

        // From -1 up to +1 in the order of the line, every bound counts for the buckets above its own.
        byte code = 0;
        for (int i = 0; i < 2 * SideLength; i++)
        {
            int bucket = i < SideLength ? 2 * SideLength - 1 - i : i - SideLength;
            Codes[bucket] = code;
            if (Bounds[bucket] < float.PositiveInfinity) code++;
        }
    }

    /// <summary>By bucket: the bound inside, +infinity when there is none. For other backends, which look codes up as
    /// <see cref="Encode(float)"/> does.</summary>
    public static ReadOnlySpan<float> BoundOfBucket => Bounds;

    /// <summary>By bucket: how many bounds are in lower buckets.</summary>
    public static ReadOnlySpan<byte> CodeOfBucket => Codes;

    /// <summary>The code of any x but NaN. Exact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte Encode(float x) =>
        Encode(x, ref MemoryMarshal.GetArrayDataReference(Bounds), ref MemoryMarshal.GetArrayDataReference(Codes));

    /// <summary>The codes of normalised values: source[i] less <paramref name="offset"/>, times
    /// <paramref name="reciprocal"/>, both float32 operations. No result may be NaN.</summary>
    /// <param name="source">The values.</param>
    /// <param name="offset">Subtracted first.</param>
    /// <param name="reciprocal">1/absmax of the block.</param>
    /// <param name="codes">As long as the source.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Encode(ReadOnlySpan<float> source, float offset, float reciprocal, Span<byte> codes)
    {
        ref float bounds = ref MemoryMarshal.GetArrayDataReference(Bounds);
        ref byte ranks = ref MemoryMarshal.GetArrayDataReference(Codes);
        codes = codes[..source.Length];
        for (int i = 0; i < source.Length; i++) codes[i] = Encode((source[i] - offset) * reciprocal, ref bounds, ref ranks);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte Encode(float x, ref float bounds, ref byte codes)
    {
        // In bounds: BucketOf is clamped on both sides.
        int bucket = BucketOf(x);
        return (byte)(Unsafe.Add(ref codes, bucket) + Unsafe.BitCast<bool, byte>(x > Unsafe.Add(ref bounds, bucket)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int BucketOf(float x) => BucketOfBits(BitConverter.SingleToInt32Bits(x));

    /// <summary>The bucket of a value given as float32 bits. Integer arithmetic only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int BucketOfBits(int bits)
    {
        int magnitude = Math.Min(Math.Max(bits & 0x7FFF_FFFF, SmallestBits), LargestBits);
        return ((magnitude - SmallestBits) >> Shift) + ((bits >> 31) & SideLength);
    }

    /// <summary>
    /// The kernel's decision as plain bounds: the code of x is the number of bounds below x. The kernel's search ends on an
    /// even code and leaves it only for what is strictly beyond a midpoint, so a tie goes to the even neighbour; bounds whose
    /// lower neighbour is odd are therefore one float32 step below the midpoint.
    /// </summary>
    private static float[] CreateBounds()
    {
        ReadOnlySpan<float> values = DynamicCode8.Values;
        var bounds = new float[255];
        for (int code = 0; code < bounds.Length; code++)
        {
            float midpoint = (values[code] + values[code + 1]) * 0.5f;
            bounds[code] = code % 2 == 0 ? midpoint : MathF.BitDecrement(midpoint);
        }

        return bounds;
    }
}
