using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Numerics;

public static partial class Narrow
{
    /// <summary>
    /// Rounds float32 values to a stored format: to nearest, ties to even, overflow to an infinity, subnormals kept. A NaN
    /// becomes a quiet NaN: 0x7FC0 for BF16, the sign and 0x7E00 for F16 (torch's scalar rule); F32 is a copy of the bits.
    /// Exact in the IEEE sense: one rounding.
    /// </summary>
    /// <param name="type">The format to write.</param>
    /// <param name="source">The values; empty is allowed.</param>
    /// <param name="destination">type.Size() bytes per value, little-endian, any alignment. May not overlap the source.</param>
    /// <exception cref="ArgumentException">The destination is not exactly as long as needed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The element type is not supported.</exception>
    public static void FromSingle(ElementType type, ReadOnlySpan<float> source, Span<byte> destination)
    {
        BlockGrid.CheckLength(nameof(destination), (long)source.Length * type.Size(), destination.Length);
        if (type == ElementType.F32) MemoryMarshal.AsBytes(source).CopyTo(destination);
        else if (type == ElementType.F16) FromSingle<F16Element>(source, destination);
        else FromSingle<BF16Element>(source, destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FromSingle<TElement>(ReadOnlySpan<float> source, Span<byte> destination)
        where TElement : struct, IElement
    {
        // Every index is below count - 15 where 16 values are read and 32 bytes written; FromSingle has checked the lengths.
        ref float values = ref MemoryMarshal.GetReference(source);
        ref byte stored = ref MemoryMarshal.GetReference(destination);
        int i = 0;
        for (; i <= source.Length - 16; i += 16)
        {
            Vector256<uint> low = TElement.ToBits(Vector256.LoadUnsafe(ref values, (nuint)i));
            Vector256<uint> high = TElement.ToBits(Vector256.LoadUnsafe(ref values, (nuint)i + 8));
            Vector256.Narrow(low, high).AsByte().StoreUnsafe(ref stored, (nuint)i * 2);
        }

        for (; i < source.Length; i++) MemoryMarshal.Write(destination[(i * 2)..], (ushort)TElement.ToBits(source[i]));
    }
}
