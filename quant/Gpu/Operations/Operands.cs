using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gpu.Operations;

/// <summary>What is checked of the operands of more than one operation.</summary>
internal static class Operands
{
    /// <summary>How many values there are.</summary>
    /// <exception cref="ArgumentException">The last one is cut off.</exception>
    public static int WholeValues(ElementType type, int bytes, string name)
    {
        int size = type.Size();
        return bytes % size == 0 ? bytes / size : throw new ArgumentException($"{bytes} bytes are not whole values of {type}", name);
    }

    /// <summary>That blocks of 4-bit codes have the lengths they must have.</summary>
    public static void CheckBlocks4(int count, int blocksize, int packed, int absmax)
    {
        BlockGrid.CheckBlocksize(blocksize);
        BlockGrid.CheckLength(nameof(absmax), BlockGrid.BlockCount(count, blocksize), absmax);
        BlockGrid.CheckLength(nameof(packed), ((long)count + 1) / 2, packed);
    }

    /// <summary>That blocks of 8-bit codes have the lengths they must have.</summary>
    public static void CheckBlocks8(int count, int blocksize, int codes, int absmax)
    {
        BlockGrid.CheckBlocksize(blocksize);
        BlockGrid.CheckLength(nameof(codes), count, codes);
        BlockGrid.CheckLength(nameof(absmax), BlockGrid.BlockCount(count, blocksize), absmax);
    }

    /// <summary>That there is at least as much as the shape needs.</summary>
    public static void CheckAtLeast(string name, long expected, int found)
    {
        if (found >= expected) return;
        throw new ArgumentException($"expected length at least {expected}, found {found}", name);
    }
}
