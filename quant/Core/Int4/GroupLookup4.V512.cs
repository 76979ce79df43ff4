using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

/// <summary>AVX-512 F and BW: 16 bytes become 32 lanes, and one permutation selects from a register of 16 values.</summary>
internal readonly unsafe struct GroupLookup512 : IGroupLookup4
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToStored<TElement>(in PackedGroups4 weights, long group, int first, int count, byte* destination)
        where TElement : struct, IElement
    {
        if (TElement.Size == 4)
        {
            ToSingle<TElement>(weights, group, first, count, (float*)destination);
            return;
        }

        // Both halves of the table register are the same 16 entries, so bit 4 of an index does not matter.
        Vector256<ushort> entries = Avx512F.ConvertToVector256UInt16(Table<TElement>(weights, group));
        Vector512<ushort> table = Vector512.Create(entries, entries);
        byte* packed = weights.CodesAt(group, first);
        int whole = count / 32 * 32;
        for (int i = 0; i < whole; i += 32)
        {
            // A byte per 32-bit lane; its lower half asks for the low nibble, its upper half for the high one.
            Vector512<uint> bytes = Avx512F.ConvertToVector512UInt32(Vector128.Load(packed + i / 2));
            Vector512<ushort> codes = (bytes | (bytes << 12)).AsUInt16();
            Avx512BW.PermuteVar32x16(table, codes).AsByte().Store(destination + i * 2);
        }

        GroupLookupScalar.ToStored<TElement>(weights, group, first + whole, count - whole, destination + whole * 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToSingle<TElement>(in PackedGroups4 weights, long group, int first, int count, float* destination)
        where TElement : struct, IElement
    {
        Vector512<float> table = TElement.FromBits(Table<TElement>(weights, group));
        Vector512<int> near = Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        Vector512<int> far = near + Vector512.Create(8);
        byte* packed = weights.CodesAt(group, first);
        int whole = count / 32 * 32;
        for (int i = 0; i < whole; i += 32)
        {
            Sixteen(table, packed + i / 2, out Vector512<float> even, out Vector512<float> odd);
            Avx512F.PermuteVar16x32x2(even, near, odd).Store(destination + i);
            Avx512F.PermuteVar16x32x2(even, far, odd).Store(destination + i + 16);
        }

        GroupLookupScalar.ToSingle<TElement>(weights, group, first + whole, count - whole, destination + whole);
    }

    public static bool HasPairs => true;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pairs<TElement>(in PackedGroups4 weights, long group, int first, int count, float* destination)
        where TElement : struct, IElement
    {
        byte* packed = weights.CodesAt(group, first);
        int left = weights.GroupSize - first;
        while (count > 0)
        {
            Vector512<float> table = TElement.FromBits(Table<TElement>(weights, group++));
            int here = Math.Min(left, count);
            count -= here;
            left = weights.GroupSize;
            for (; here > 0; here -= 32)
            {
                Sixteen(table, packed, out Vector512<float> even, out Vector512<float> odd);
                even.Store(destination);
                odd.Store(destination + 16);
                packed += 16;
                destination += 32;
            }
        }
    }

    // Even and odd positions keep to lanes of their own, so the decoded values need not be put in order.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float DotPairs<TElement>(in PackedGroups4 weights, long group, int first, int count, float* x)
        where TElement : struct, IElement
    {
        Vector512<float> even0 = default, odd0 = default, even1 = default, odd1 = default;
        byte* packed = weights.CodesAt(group, first);
        int left = weights.GroupSize - first;
        while (count > 0)
        {
            Vector512<float> table = TElement.FromBits(Table<TElement>(weights, group++));
            int here = Math.Min(left, count);
            count -= here;
            left = weights.GroupSize;
            for (; here >= 64; here -= 64)
            {
                Multiply(table, packed, x, ref even0, ref odd0);
                Multiply(table, packed + 16, x + 32, ref even1, ref odd1);
                packed += 32;
                x += 64;
            }

            if (here == 0) continue;
            Multiply(table, packed, x, ref even0, ref odd0);
            packed += 16;
            x += 32;
        }

        return Vector512.Sum((even0 + even1) + (odd0 + odd1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply(
        Vector512<float> table, byte* packed, float* x, ref Vector512<float> even, ref Vector512<float> odd)
    {
        Sixteen(table, packed, out Vector512<float> first, out Vector512<float> second);
        even = Avx512F.FusedMultiplyAdd(first, Vector512.Load(x), even);
        odd = Avx512F.FusedMultiplyAdd(second, Vector512.Load(x + 16), odd);
    }

    /// <summary>The values of 16 bytes' low and high nibbles. The permutation looks at the low 4 bits of an index only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sixteen(Vector512<float> table, byte* packed, out Vector512<float> even, out Vector512<float> odd)
    {
        Vector512<int> bytes = Avx512F.ConvertToVector512Int32(Vector128.Load(packed));
        even = Avx512F.PermuteVar16x32(table, bytes);
        odd = Avx512F.PermuteVar16x32(table, bytes >>> 4);
    }

    /// <summary>The stored bits of the 16 values of a group, by code.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Table<TElement>(in PackedGroups4 weights, long group)
        where TElement : struct, IElement
    {
        Vector512<float> codes = Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        Vector512<float> factors = codes - Vector512.Create(weights.OffsetAt(group));
        Vector512<float> products = factors * Vector512.Create(weights.ScaleAt(group));

        // Rounding to one type twice is rounding once.
        if (weights.ScaleType == TElement.Type) return TElement.ToBits(products);
        return TElement.ToBits(weights.ScaleType switch
        {
            ElementType.F32 => products,
            ElementType.F16 => F16Element.FromBits(F16Element.ToBits(products)),
            _ => BF16Element.FromBits(BF16Element.ToBits(products)),
        });
    }
}
