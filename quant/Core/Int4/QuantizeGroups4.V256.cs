using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

// AVX2. The arithmetic is that of QuantizeGroups4.V512.cs; 16 values give 8 lanes of one byte each, and two such vectors are
// narrowed together.
public static partial class QuantizeGroups4
{
    // AggressiveOptimization: fully optimised at the first call, so that the first chunk of a model is as fast as the last.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool V256<TElement>(
        int groupSize,
        bool symmetric,
        ReadOnlySpan<byte> source,
        Span<byte> scales,
        Span<sbyte> zeroPoints,
        Span<byte> packed)
        where TElement : struct, IElement
    {
        int groups = packed.Length / (groupSize / 2), groupBytes = groupSize * TElement.Size;
        bool finite = true;
        GroupBatch4 batch = default;
        for (int start = 0; start < groups; start += GroupBatch4.Size)
        {
            // Inside the spans: start + i < groups, and Run has checked that they all have that many.
            int count = Math.Min(GroupBatch4.Size, groups - start);
            ref byte values = ref Unsafe.Add(ref MemoryMarshal.GetReference(source), (nint)start * groupBytes);
            ref byte bytes = ref Unsafe.Add(ref MemoryMarshal.GetReference(packed), (nint)start * groupSize / 2);
            for (int i = 0; i < count; i++)
            {
                Range256<TElement>(
                    symmetric, ref Unsafe.Add(ref values, i * groupBytes), groupBytes, out uint high, out uint low);
                batch.SetRange(i, high, low);
            }

            batch.Compute<TElement>(symmetric);
            for (int i = 0; i < count; i++)
            {
                if (!batch.IsFinite<TElement>(i))
                {
                    finite &= ReferenceGroup<TElement>(groupSize, symmetric, start + i, source, scales, zeroPoints, packed);
                    continue;
                }

                batch.Write<TElement>(i, start + i, scales, zeroPoints);
                Group256<TElement>(
                    symmetric,
                    Vector256.Create(batch.Scale(i)),
                    Vector256.Create(batch.Zero(i)),
                    ref Unsafe.Add(ref values, i * groupBytes),
                    ref Unsafe.Add(ref bytes, i * (groupSize / 2)),
                    groupSize);
            }
        }

        return finite;
    }

    /// <summary>Magnitudes, as stored, of the largest value and of the smallest. Positive stored values order like integers
    /// and negative ones lie below them, so starting with 0 counts 0 among the values; the smallest is the largest with signs
    /// turned. NaN and infinities come out on top.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Range256<TElement>(bool symmetric, ref byte values, int length, out uint high, out uint low)
        where TElement : struct, IElement
    {
        Vector256<byte> top = default, bottom = default;
        for (int offset = 0; offset < length; offset += Vector256<byte>.Count)
        {
            Vector256<byte> stored = Vector256.LoadUnsafe(ref values, (nuint)offset);
            if (symmetric)
            {
                top = TElement.MaxMagnitude(top, stored);
            }
            else if (TElement.Size == 4)
            {
                top = Vector256.Max(top.AsInt32(), stored.AsInt32()).AsByte();
                bottom = Vector256.Max(bottom.AsInt32(), stored.AsInt32() ^ Vector256.Create(int.MinValue)).AsByte();
            }
            else
            {
                top = Vector256.Max(top.AsInt16(), stored.AsInt16()).AsByte();
                bottom = Vector256.Max(bottom.AsInt16(), stored.AsInt16() ^ Vector256.Create(short.MinValue)).AsByte();
            }
        }

        high = Reduce256<TElement>(top);
        low = symmetric ? 0 : Reduce256<TElement>(bottom);
    }

    /// <summary>The codes of one finite group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Group256<TElement>(
        bool symmetric, Vector256<float> scale, Vector256<float> zero, ref byte values, ref byte bytes, int groupSize)
        where TElement : struct, IElement
    {
        for (int i = 0; i < groupSize; i += 32)
        {
            ref byte next = ref Unsafe.Add(ref values, i * TElement.Size);
            Vector256<int> near = Pairs256<TElement>(ref next, scale, zero, symmetric);
            Vector256<int> far = Pairs256<TElement>(ref Unsafe.Add(ref next, 16 * TElement.Size), scale, zero, symmetric);

            // The packs work within 128-bit halves: bytes arrive as near 0-3, far 0-3 | near 4-7, far 4-7.
            Vector256<short> words = Avx2.PackSignedSaturate(near, far);
            Vector256<int> mixed = Avx2.PackUnsignedSaturate(words, words).AsInt32();
            Vector256<int> ordered = Avx2.PermuteVar8x32(mixed, Vector256.Create(0, 4, 1, 5, 0, 4, 1, 5));
            ordered.GetLower().AsByte().StoreUnsafe(ref Unsafe.Add(ref bytes, i / 2));
        }
    }

    private static uint Reduce256<TElement>(Vector256<byte> magnitudes)
        where TElement : struct, IElement =>
        TElement.Reduce(TElement.MaxMagnitude(magnitudes.GetLower(), magnitudes.GetUpper()));

    /// <summary>16 values to 8 lanes of two codes each, in the order of memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Pairs256<TElement>(
        ref byte source, Vector256<float> scale, Vector256<float> zero, bool symmetric)
        where TElement : struct, IElement
    {
        TElement.LoadPairs(ref source, out Vector256<float> even, out Vector256<float> odd);
        Vector256<uint> nibble = Vector256.Create(0xFu);
        Vector256<uint> first = Codes256<TElement>(even, scale, zero, symmetric) & nibble;
        Vector256<uint> second = Codes256<TElement>(odd, scale, zero, symmetric) & nibble;
        return TElement.InOrder(first | (second << 4)).AsInt32();
    }

    /// <summary>Numbers whose low 4 bits are the codes, by the rule of <see cref="Group4{TElement}.Encode"/>. Adding
    /// 1.5 * 2^23 leaves the rounding to an integer to the addition; its even last bit keeps ties at even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Codes256<TElement>(
        Vector256<float> values, Vector256<float> scale, Vector256<float> zero, bool symmetric)
        where TElement : struct, IElement
    {
        Vector256<float> x = Round256<TElement>(values / scale);
        if (!symmetric) x = Round256<TElement>(x + zero);
        x = Vector256.MinNative(Vector256.MaxNative(x, Vector256.Create(-8f)), Vector256.Create(7f));
        return (x + Vector256.Create(12582912f + 8)).AsUInt32();
    }

    /// <summary>Rounds to the type's precision, values below 1/4 to the spacing above it; see docs/numerics.md for why they
    /// do not matter. The magnitudes are below 2^5. The addition of 1.5 * 2^ExtraBits times the value's power of two rounds
    /// in the last bit that the type keeps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Round256<TElement>(Vector256<float> x)
        where TElement : struct, IElement
    {
        if (TElement.ExtraBits == 0) return x;
        Vector256<uint> power = Vector256.Max(x.AsUInt32() & Vector256.Create(0x7F80_0000u), Vector256.Create(0x3E80_0000u));
        Vector256<float> shifter = (power + Vector256.Create(((uint)TElement.ExtraBits << 23) + 0x0040_0000u)).AsSingle();
        return (x + shifter) - shifter;
    }
}
