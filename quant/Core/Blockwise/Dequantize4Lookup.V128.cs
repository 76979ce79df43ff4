using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Blockwise;

/// <summary>Portable: the table as rows of bytes, selected by byte shuffles and joined by widening and shifting.</summary>
internal readonly struct CodeLookup128 : ICodeLookup
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ToStored<TElement>(ref float map, float absmax, ref byte packed, ref byte destination, int groups)
        where TElement : struct, IElement
    {
        if (TElement.Size == 4)
        {
            ToSingle<TElement>(ref map, absmax, ref packed, ref Unsafe.As<byte, float>(ref destination), groups);
            return;
        }

        Entries<TElement>(
            ref map, absmax, out Vector128<uint> e0, out Vector128<uint> e1, out Vector128<uint> e2, out Vector128<uint> e3);
        Vector128<byte> low = Row(e0, e1, e2, e3, 0), high = Row(e0, e1, e2, e3, 8);
        for (nuint half = 0; half < (nuint)groups * 2; half++)
        {
            Vector128<byte> codes = Codes(ref packed, half);
            (Vector128<ushort> low0, Vector128<ushort> low1) = Vector128.Widen(Vector128.Shuffle(low, codes));
            (Vector128<ushort> high0, Vector128<ushort> high1) = Vector128.Widen(Vector128.Shuffle(high, codes));
            (low0 | (high0 << 8)).AsByte().StoreUnsafe(ref destination, half * 32);
            (low1 | (high1 << 8)).AsByte().StoreUnsafe(ref destination, half * 32 + 16);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ToSingle<TElement>(ref float map, float absmax, ref byte packed, ref float destination, int groups)
        where TElement : struct, IElement
    {
        Entries<TElement>(
            ref map, absmax, out Vector128<uint> e0, out Vector128<uint> e1, out Vector128<uint> e2, out Vector128<uint> e3);
        if (TElement.Size == 2)
        {
            e0 = TElement.FromBits(e0).AsUInt32();
            e1 = TElement.FromBits(e1).AsUInt32();
            e2 = TElement.FromBits(e2).AsUInt32();
            e3 = TElement.FromBits(e3).AsUInt32();
        }

        Vector128<byte> row0 = Row(e0, e1, e2, e3, 0), row1 = Row(e0, e1, e2, e3, 8);
        Vector128<byte> row2 = Row(e0, e1, e2, e3, 16), row3 = Row(e0, e1, e2, e3, 24);
        for (nuint half = 0; half < (nuint)groups * 2; half++)
        {
            Vector128<byte> codes = Codes(ref packed, half);
            (Vector128<ushort> b0, Vector128<ushort> c0) = Vector128.Widen(Vector128.Shuffle(row0, codes));
            (Vector128<ushort> b1, Vector128<ushort> c1) = Vector128.Widen(Vector128.Shuffle(row1, codes));
            (Vector128<ushort> b2, Vector128<ushort> c2) = Vector128.Widen(Vector128.Shuffle(row2, codes));
            (Vector128<ushort> b3, Vector128<ushort> c3) = Vector128.Widen(Vector128.Shuffle(row3, codes));
            Join(b0 | (b1 << 8), b2 | (b3 << 8), ref destination, half * 16);
            Join(c0 | (c1 << 8), c2 | (c3 << 8), ref destination, half * 16 + 8);
        }
    }

    /// <summary>Stores 8 values given as lower and upper 16 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Join(Vector128<ushort> lower, Vector128<ushort> upper, ref float destination, nuint index)
    {
        (Vector128<uint> low0, Vector128<uint> low1) = Vector128.Widen(lower);
        (Vector128<uint> high0, Vector128<uint> high1) = Vector128.Widen(upper);
        (low0 | (high0 << 16)).AsSingle().StoreUnsafe(ref destination, index);
        (low1 | (high1 << 16)).AsSingle().StoreUnsafe(ref destination, index + 4);
    }

    /// <summary>The rounded products of the 16 codes, as stored bits in 32-bit lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Entries<TElement>(
        ref float map,
        float absmax,
        out Vector128<uint> e0,
        out Vector128<uint> e1,
        out Vector128<uint> e2,
        out Vector128<uint> e3)
        where TElement : struct, IElement
    {
        Vector128<float> scale = Vector128.Create(absmax);
        e0 = TElement.ToBits(Vector128.LoadUnsafe(ref map) * scale);
        e1 = TElement.ToBits(Vector128.LoadUnsafe(ref map, 4) * scale);
        e2 = TElement.ToBits(Vector128.LoadUnsafe(ref map, 8) * scale);
        e3 = TElement.ToBits(Vector128.LoadUnsafe(ref map, 12) * scale);
    }

    /// <summary>One byte of each of the 16 entries, by code.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Row(
        Vector128<uint> e0, Vector128<uint> e1, Vector128<uint> e2, Vector128<uint> e3, int shift)
    {
        Vector128<uint> mask = Vector128.Create(0xFFu);
        return Vector128.Narrow(
            Vector128.Narrow((e0 >>> shift) & mask, (e1 >>> shift) & mask),
            Vector128.Narrow((e2 >>> shift) & mask, (e3 >>> shift) & mask));
    }

    /// <summary>16 codes in order from 8 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Codes(ref byte packed, nuint half)
    {
        ulong bytes = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref packed, half * 8));
        Vector128<ushort> wide = Vector128.WidenLower(Vector128.CreateScalar(bytes).AsByte());
        return ((wide >>> 4) | (wide << 8)).AsByte() & Vector128.Create((byte)0xF);
    }
}
