using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Blockwise;

/// <summary>AVX-512 F and BW: 16 bytes become 32 lanes, and one permutation selects from a register of 16 entries.</summary>
internal readonly struct CodeLookup512 : ICodeLookup
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

        // Both halves of the table register are the same 16 entries, so bit 4 of an index does not matter.
        Vector512<uint> bits = TElement.ToBits(Vector512.LoadUnsafe(ref map) * absmax);
        Vector256<ushort> entries = Avx512F.ConvertToVector256UInt16(bits);
        Vector512<ushort> table = Vector512.Create(entries, entries);
        for (nuint group = 0; group < (nuint)groups; group++)
        {
            // A byte per 32-bit lane; its lower half asks for the high nibble, its upper half for the low one.
            Vector512<uint> bytes = Bytes(ref packed, group);
            Vector512<ushort> codes = ((bytes >>> 4) | (bytes << 16)).AsUInt16();
            Avx512BW.PermuteVar32x16(table, codes).AsByte().StoreUnsafe(ref destination, group * 64);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ToSingle<TElement>(ref float map, float absmax, ref byte packed, ref float destination, int groups)
        where TElement : struct, IElement
    {
        Vector512<float> table = TElement.FromBits(TElement.ToBits(Vector512.LoadUnsafe(ref map) * absmax));
        Vector512<int> first = Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        Vector512<int> second = first + Vector512.Create(8);
        for (nuint group = 0; group < (nuint)groups; group++)
        {
            // The permutation looks at the low 4 bits of an index only, so the low nibble needs no mask.
            Vector512<uint> bytes = Bytes(ref packed, group);
            Vector512<float> even = Avx512F.PermuteVar16x32(table, (bytes >>> 4).AsInt32());
            Vector512<float> odd = Avx512F.PermuteVar16x32(table, bytes.AsInt32());
            Avx512F.PermuteVar16x32x2(even, first, odd).StoreUnsafe(ref destination, group * 32);
            Avx512F.PermuteVar16x32x2(even, second, odd).StoreUnsafe(ref destination, group * 32 + 16);
        }
    }

    public static bool HasPairs => true;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe void Pairs<TElement>(
        float* map, float* absmax, int blockGroups, int ahead, byte* packed, float* destination, int groups)
        where TElement : struct, IElement
    {
        Vector512<float> values = Vector512.Load(map);
        int left = blockGroups - ahead;
        while (groups > 0)
        {
            Vector512<float> table = TElement.FromBits(TElement.ToBits(values * *absmax++));
            int here = Math.Min(left, groups);
            groups -= here;
            left = blockGroups;
            for (; here > 0; here--)
            {
                Vector512<uint> bytes = Avx512F.ConvertToVector512UInt32(Vector128.Load(packed));
                Avx512F.PermuteVar16x32(table, (bytes >>> 4).AsInt32()).Store(destination);
                Avx512F.PermuteVar16x32(table, bytes.AsInt32()).Store(destination + 16);
                packed += 16;
                destination += 32;
            }
        }
    }

    // Even and odd positions keep to lanes of their own, so the decoded values need not be put in order.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe float DotPairs<TElement>(
        float* map, float* absmax, int blockGroups, int ahead, byte* packed, float* x, int groups)
        where TElement : struct, IElement
    {
        Vector512<float> values = Vector512.Load(map);
        Vector512<float> even0 = default, odd0 = default, even1 = default, odd1 = default;
        int left = blockGroups - ahead;
        while (groups > 0)
        {
            Vector512<float> table = TElement.FromBits(TElement.ToBits(values * *absmax++));
            int here = Math.Min(left, groups);
            groups -= here;
            left = blockGroups;
            for (; here >= 2; here -= 2)
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
    private static unsafe void Multiply(
        Vector512<float> table, byte* packed, float* x, ref Vector512<float> even, ref Vector512<float> odd)
    {
        Vector512<uint> bytes = Avx512F.ConvertToVector512UInt32(Vector128.Load(packed));
        Vector512<float> first = Avx512F.PermuteVar16x32(table, (bytes >>> 4).AsInt32());
        Vector512<float> second = Avx512F.PermuteVar16x32(table, bytes.AsInt32());
        even = Avx512F.FusedMultiplyAdd(first, Vector512.Load(x), even);
        odd = Avx512F.FusedMultiplyAdd(second, Vector512.Load(x + 16), odd);
    }

    /// <summary>16 bytes, one per lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Bytes(ref byte packed, nuint group) =>
        Avx512F.ConvertToVector512UInt32(Vector128.LoadUnsafe(ref packed, group * 16));
}
