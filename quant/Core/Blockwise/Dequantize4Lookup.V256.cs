using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Blockwise;

/// <summary>AVX2. 16-bit results: the table as a row of low and a row of high bytes, selected by byte shuffles. 32-bit
/// results: two registers of 8 entries, selected by permutations and by bit 3 of the code.</summary>
internal readonly struct CodeLookup256 : ICodeLookup
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

        Vector256<float> scale = Vector256.Create(absmax);
        Vector256<ushort> entries = Vector256.Narrow(
            TElement.ToBits(Vector256.LoadUnsafe(ref map) * scale), TElement.ToBits(Vector256.LoadUnsafe(ref map, 8) * scale));
        Vector128<byte> low = Vector128.Narrow(
            entries.GetLower() & Vector128.Create((ushort)0xFF), entries.GetUpper() & Vector128.Create((ushort)0xFF));
        Vector128<byte> high = Vector128.Narrow(entries.GetLower() >>> 8, entries.GetUpper() >>> 8);
        Vector256<byte> lows = Vector256.Create(low, low), highs = Vector256.Create(high, high);
        for (nuint group = 0; group < (nuint)groups; group++)
        {
            // A byte per 16-bit lane; its lower half keeps the high nibble, its upper half gets the low one.
            Vector256<ushort> bytes = Avx2.ConvertToVector256Int16(Vector128.LoadUnsafe(ref packed, group * 16)).AsUInt16();
            Vector256<byte> codes = ((bytes >>> 4) | (bytes << 8)).AsByte() & Vector256.Create((byte)0xF);
            Vector256<byte> lowBytes = Avx2.Shuffle(lows, codes), highBytes = Avx2.Shuffle(highs, codes);

            // Interleaving works within 128-bit halves, so values 0-7 and 16-23 come together.
            Vector256<byte> near = Avx2.UnpackLow(lowBytes, highBytes), far = Avx2.UnpackHigh(lowBytes, highBytes);
            Avx2.Permute2x128(near, far, 0x20).StoreUnsafe(ref destination, group * 64);
            Avx2.Permute2x128(near, far, 0x31).StoreUnsafe(ref destination, group * 64 + 32);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ToSingle<TElement>(ref float map, float absmax, ref byte packed, ref float destination, int groups)
        where TElement : struct, IElement
    {
        Vector256<float> scale = Vector256.Create(absmax);
        Vector256<float> low = TElement.FromBits(TElement.ToBits(Vector256.LoadUnsafe(ref map) * scale));
        Vector256<float> high = TElement.FromBits(TElement.ToBits(Vector256.LoadUnsafe(ref map, 8) * scale));
        for (nuint quarter = 0; quarter < (nuint)groups * 4; quarter++)
        {
            // 4 bytes in every lane, shifted so that each lane's lowest nibble is its code.
            uint bytes = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref packed, quarter * 4));
            Vector256<uint> codes = Avx2.ShiftRightLogicalVariable(
                Vector256.Create(bytes), Vector256.Create(4u, 0, 12, 8, 20, 16, 28, 24));
            Vector256<float> below = Avx2.PermuteVar8x32(low, codes.AsInt32());
            Vector256<float> above = Avx2.PermuteVar8x32(high, codes.AsInt32());

            // The blend looks at the sign bit, where bit 3 of the code is moved.
            Vector256<float> chosen = Avx.BlendVariable(below, above, (codes << 28).AsSingle());
            chosen.StoreUnsafe(ref destination, quarter * 8);
        }
    }

    public static bool HasPairs => true;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe void Pairs<TElement>(
        float* map, float* absmax, int blockGroups, int ahead, byte* packed, float* destination, int groups)
        where TElement : struct, IElement
    {
        Vector256<float> values0 = Vector256.Load(map), values1 = Vector256.Load(map + 8);
        int left = blockGroups - ahead;
        while (groups > 0)
        {
            Vector256<float> low = TElement.FromBits(TElement.ToBits(values0 * *absmax));
            Vector256<float> high = TElement.FromBits(TElement.ToBits(values1 * *absmax++));
            int here = Math.Min(left, groups);
            groups -= here;
            left = blockGroups;
            for (; here > 0; here--)
            {
                Select(low, high, packed, out Vector256<float> even, out Vector256<float> odd);
                even.Store(destination);
                odd.Store(destination + 16);
                Select(low, high, packed + 8, out even, out odd);
                even.Store(destination + 8);
                odd.Store(destination + 24);
                packed += 16;
                destination += 32;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe float DotPairs<TElement>(
        float* map, float* absmax, int blockGroups, int ahead, byte* packed, float* x, int groups)
        where TElement : struct, IElement
    {
        Vector256<float> values0 = Vector256.Load(map), values1 = Vector256.Load(map + 8);
        Vector256<float> even0 = default, odd0 = default, even1 = default, odd1 = default;
        int left = blockGroups - ahead;
        while (groups > 0)
        {
            Vector256<float> low = TElement.FromBits(TElement.ToBits(values0 * *absmax));
            Vector256<float> high = TElement.FromBits(TElement.ToBits(values1 * *absmax++));
            int here = Math.Min(left, groups);
            groups -= here;
            left = blockGroups;
            for (; here > 0; here--)
            {
                Select(low, high, packed, out Vector256<float> even, out Vector256<float> odd);
                even0 = Vector256.MultiplyAddEstimate(even, Vector256.Load(x), even0);
                odd0 = Vector256.MultiplyAddEstimate(odd, Vector256.Load(x + 16), odd0);
                Select(low, high, packed + 8, out even, out odd);
                even1 = Vector256.MultiplyAddEstimate(even, Vector256.Load(x + 8), even1);
                odd1 = Vector256.MultiplyAddEstimate(odd, Vector256.Load(x + 24), odd1);
                packed += 16;
                x += 32;
            }
        }

        return Vector256.Sum((even0 + even1) + (odd0 + odd1));
    }

    /// <summary>The values of 8 bytes' high and low nibbles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Select(
        Vector256<float> low, Vector256<float> high, byte* packed, out Vector256<float> even, out Vector256<float> odd)
    {
        // Permutations look at an index's low 3 bits, blends at the sign bit, where bit 3 of the code is moved.
        Vector256<int> bytes = Avx2.ConvertToVector256Int32(packed), shifted = bytes >>> 4;
        even = Avx.BlendVariable(
            Avx2.PermuteVar8x32(low, shifted), Avx2.PermuteVar8x32(high, shifted), (bytes << 24).AsSingle());
        odd = Avx.BlendVariable(
            Avx2.PermuteVar8x32(low, bytes), Avx2.PermuteVar8x32(high, bytes), (bytes << 28).AsSingle());
    }
}
