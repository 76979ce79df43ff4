using System.Numerics;

namespace Bnb.Quant.Numerics;

/// <summary>How a flat run of values falls into blocks: all full but possibly the last.</summary>
public static class BlockGrid
{
    /// <summary>The smallest block there is.</summary>
    public const int SmallestBlocksize = 32;

    /// <summary>The largest block there is.</summary>
    public const int LargestBlocksize = 4096;

    /// <summary>Whether bitsandbytes has kernels for this number of values per block: a power of two from 32 to 4096.</summary>
    public static bool IsBlocksize(int blocksize) =>
        blocksize is >= SmallestBlocksize and <= LargestBlocksize && BitOperations.IsPow2(blocksize);

    /// <summary>Number of blocks that hold <paramref name="count"/> values; none for none.</summary>
    public static long BlockCount(long count, int blocksize) => (count / blocksize) + (count % blocksize == 0 ? 0 : 1);

    /// <summary>Throws when a block size is not one of <see cref="IsBlocksize"/>.</summary>
    internal static void CheckBlocksize(int blocksize)
    {
        if (IsBlocksize(blocksize)) return;
        throw new ArgumentOutOfRangeException(
            nameof(blocksize), blocksize, $"must be a power of two from {SmallestBlocksize} to {LargestBlocksize}");
    }

    /// <summary>Throws when a span is not exactly as long as the operation needs.</summary>
    internal static void CheckLength(string name, long expected, int found)
    {
        if (found == expected) return;
        throw new ArgumentException($"expected length {expected}, found {found}", name);
    }
}
