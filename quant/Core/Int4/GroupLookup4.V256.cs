using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

/// <summary>AVX2. 16-bit results: the 16 values as a row of low and a row of high bytes, selected by byte shuffles. 32-bit
/// results: two registers of 8 values, selected by permutations and by bit 3 of the code.</summary>
internal readonly unsafe struct GroupLookup256 : IGroupLookup4
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

        Table<TElement>(weights, group, out Vector256<uint> below, out Vector256<uint> above);
        Vector256<ushort> entries = Vector256.Narrow(below, above);
        Vector128<ushort> mask = Vector128.Create((ushort)0xFF);
        Vector128<byte> low = Vector128.Narrow(entries.GetLower() & mask, entries.GetUpper() & mask);
        Vector128<byte> high = Vector128.Narrow(entries.GetLower() >>> 8, entries.GetUpper() >>> 8);
        Vector256<byte> lows = Vector256.Create(low, low), highs = Vector256.Create(high, high);
        byte* packed = weights.CodesAt(group, first);
        int whole = count / 32 * 32;
        for (int i = 0; i < whole; i += 32)
        {
            // A byte per 16-bit lane; its lower half keeps the low nibble, its upper half gets the high one.
            Vector256<ushort> bytes = Avx2.ConvertToVector256Int16(packed + i / 2).AsUInt16();
            Vector256<byte> codes = (bytes | (bytes << 4)).AsByte() & Vector256.Create((byte)0xF);
            Vector256<byte> lowBytes = Avx2.Shuffle(lows, codes), highBytes = Avx2.Shuffle(highs, codes);

            // Interleaving works within 128-bit halves, so values 0-7 and 16-23 come together.
            Vector256<byte> near = Avx2.UnpackLow(lowBytes, highBytes), far = Avx2.UnpackHigh(lowBytes, highBytes);
            Avx2.Permute2x128(near, far, 0x20).Store(destination + i * 2);
            Avx2.Permute2x128(near, far, 0x31).Store(destination + i * 2 + 32);
        }

        GroupLookupScalar.ToStored<TElement>(weights, group, first + whole, count - whole, destination + whole * 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToSingle<TElement>(in PackedGroups4 weights, long group, int first, int count, float* destination)
        where TElement : struct, IElement
    {
        Table<TElement>(weights, group, out Vector256<uint> lowBits, out Vector256<uint> highBits);
        Vector256<float> low = TElement.FromBits(lowBits), high = TElement.FromBits(highBits);
        byte* packed = weights.CodesAt(group, first);
        for (int i = 0; i < count; i += 8)
        {
            // A word in every lane, shifted so that each lane's lowest nibble is its code.
            Vector256<uint> codes = Avx2.ShiftRightLogicalVariable(
                Vector256.Create(Unsafe.ReadUnaligned<uint>(packed + i / 2)), Vector256.Create(0u, 4, 8, 12, 16, 20, 24, 28));
            Select(low, high, codes.AsInt32(), codes << 28).Store(destination + i);
        }
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
            Table<TElement>(weights, group++, out Vector256<uint> lowBits, out Vector256<uint> highBits);
            Vector256<float> low = TElement.FromBits(lowBits), high = TElement.FromBits(highBits);
            int here = Math.Min(left, count);
            count -= here;
            left = weights.GroupSize;
            for (; here > 0; here -= 32)
            {
                Eight(low, high, packed, out Vector256<float> even, out Vector256<float> odd);
                even.Store(destination);
                odd.Store(destination + 16);
                Eight(low, high, packed + 8, out even, out odd);
                even.Store(destination + 8);
                odd.Store(destination + 24);
                packed += 16;
                destination += 32;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float DotPairs<TElement>(in PackedGroups4 weights, long group, int first, int count, float* x)
        where TElement : struct, IElement
    {
        Vector256<float> even0 = default, odd0 = default, even1 = default, odd1 = default;
        byte* packed = weights.CodesAt(group, first);
        int left = weights.GroupSize - first;
        while (count > 0)
        {
            Table<TElement>(weights, group++, out Vector256<uint> lowBits, out Vector256<uint> highBits);
            Vector256<float> low = TElement.FromBits(lowBits), high = TElement.FromBits(highBits);
            int here = Math.Min(left, count);
            count -= here;
            left = weights.GroupSize;
            for (; here > 0; here -= 32)
            {
                Eight(low, high, packed, out Vector256<float> even, out Vector256<float> odd);
                even0 = Vector256.MultiplyAddEstimate(even, Vector256.Load(x), even0);
                odd0 = Vector256.MultiplyAddEstimate(odd, Vector256.Load(x + 16), odd0);
                Eight(low, high, packed + 8, out even, out odd);
                even1 = Vector256.MultiplyAddEstimate(even, Vector256.Load(x + 8), even1);
                odd1 = Vector256.MultiplyAddEstimate(odd, Vector256.Load(x + 24), odd1);
                packed += 16;
                x += 32;
            }
        }

        return Vector256.Sum((even0 + even1) + (odd0 + odd1));
    }

    /// <summary>The values of 8 bytes' low and high nibbles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Eight(
        Vector256<float> low, Vector256<float> high, byte* packed, out Vector256<float> even, out Vector256<float> odd)
    {
        Vector256<int> bytes = Avx2.ConvertToVector256Int32(packed);
        even = Select(low, high, bytes, (bytes << 28).AsUInt32());
        odd = Select(low, high, bytes >>> 4, (bytes << 24).AsUInt32());
    }

    // Permutations look at an index's low 3 bits, blends at the sign bit, where bit 3 of the code has been moved.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Select(
        Vector256<float> low, Vector256<float> high, Vector256<int> codes, Vector256<uint> choice) =>
        Avx.BlendVariable(Avx2.PermuteVar8x32(low, codes), Avx2.PermuteVar8x32(high, codes), choice.AsSingle());

    /// <summary>The stored bits of the 16 values of a group, by code.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Table<TElement>(in PackedGroups4 weights, long group, out Vector256<uint> low, out Vector256<uint> high)
        where TElement : struct, IElement
    {
        Vector256<float> scale = Vector256.Create(weights.ScaleAt(group)), offset = Vector256.Create(weights.OffsetAt(group));
        Vector256<float> codes = Vector256.Create(0f, 1, 2, 3, 4, 5, 6, 7);
        low = Bits<TElement>(weights.ScaleType, (codes - offset) * scale);
        high = Bits<TElement>(weights.ScaleType, (codes + Vector256.Create(8f) - offset) * scale);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Bits<TElement>(ElementType scaleType, Vector256<float> products)
        where TElement : struct, IElement
    {
        // Rounding to one type twice is rounding once.
        if (scaleType == TElement.Type) return TElement.ToBits(products);
        return TElement.ToBits(scaleType switch
        {
            ElementType.F32 => products,
            ElementType.F16 => F16Element.FromBits(F16Element.ToBits(products)),
            _ => BF16Element.FromBits(BF16Element.ToBits(products)),
        });
    }
}
