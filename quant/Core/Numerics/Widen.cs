using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Numerics;

/// <summary>Conversions from a stored format to float32.</summary>
public static class Widen
{
    /// <summary>
    /// Stored values as float32. Exact: every finite value, infinity and signed zero comes out as itself, and a NaN stays a
    /// NaN of the same sign with its fraction bits.
    /// </summary>
    /// <param name="type">What <paramref name="source"/> holds.</param>
    /// <param name="source">Little-endian values, any alignment; empty is allowed.</param>
    /// <param name="destination">One float32 per value. May not overlap the source.</param>
    /// <exception cref="ArgumentException">The source is not exactly as long as the destination needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The element type is not supported.</exception>
    public static void ToSingle(ElementType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        BlockGrid.CheckLength(nameof(source), (long)destination.Length * type.Size(), source.Length);
        if (type == ElementType.F32) source.CopyTo(MemoryMarshal.AsBytes(destination));
        else if (type == ElementType.F16) ToSingle<F16Element>(source, destination);
        else ToSingle<BF16Element>(source, destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ToSingle<TElement>(ReadOnlySpan<byte> source, Span<float> destination)
        where TElement : struct, IElement
    {
        // Every index is below count - 15 where 32 bytes are read and 16 values written; ToSingle has checked the lengths.
        ref byte stored = ref MemoryMarshal.GetReference(source);
        ref float values = ref MemoryMarshal.GetReference(destination);
        int i = 0;
        for (; i <= destination.Length - 16; i += 16)
        {
            Vector256<ushort> bits = Vector256.LoadUnsafe(ref stored, (nuint)i * 2).AsUInt16();
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(bits);
            TElement.FromBits(low).StoreUnsafe(ref values, (nuint)i);
            TElement.FromBits(high).StoreUnsafe(ref values, (nuint)i + 8);
        }

        for (; i < destination.Length; i++) destination[i] = TElement.FromBits(MemoryMarshal.Read<ushort>(source[(i * 2)..]));
    }
}
