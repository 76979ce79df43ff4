using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

// AVX-512 F and BW. 32 values at a time: one vector of even, one of odd positions, each with a code per 32-bit lane; a byte of
// the result is then lanewise even | (odd << 4), narrowed. Groups are multiples of 32, so there is no remainder.
public static partial class QuantizeGroups4
{
    // AggressiveOptimization: fully optimised at the first call, so that the first chunk of a model is as fast as the last.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool V512<TElement>(
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
                Range512<TElement>(
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
                Group512<TElement>(
                    symmetric,
                    Vector512.Create(batch.Scale(i)),
                    Vector512.Create(batch.Zero(i)),
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
    private static void Range512<TElement>(bool symmetric, ref byte values, int length, out uint high, out uint low)
        where TElement : struct, IElement
    {
        Vector512<byte> top = default, bottom = default;
        for (int offset = 0; offset < length; offset += Vector512<byte>.Count)
        {
            Vector512<byte> stored = Vector512.LoadUnsafe(ref values, (nuint)offset);
            if (symmetric)
            {
                top = TElement.MaxMagnitude(top, stored);
            }
            else if (TElement.Size == 4)
            {
                top = Vector512.Max(top.AsInt32(), stored.AsInt32()).AsByte();
                bottom = Vector512.Max(bottom.AsInt32(), stored.AsInt32() ^ Vector512.Create(int.MinValue)).AsByte();
            }
            else
            {
                top = Vector512.Max(top.AsInt16(), stored.AsInt16()).AsByte();
                bottom = Vector512.Max(bottom.AsInt16(), stored.AsInt16() ^ Vector512.Create(short.MinValue)).AsByte();
            }
        }

        high = Reduce512<TElement>(top);
        low = symmetric ? 0 : Reduce512<TElement>(bottom);
    }

    /// <summary>The codes of one finite group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Group512<TElement>(
        bool symmetric, Vector512<float> scale, Vector512<float> zero, ref byte values, ref byte bytes, int groupSize)
        where TElement : struct, IElement
    {
        for (int i = 0; i < groupSize; i += 32)
        {
            ref byte next = ref Unsafe.Add(ref values, i * TElement.Size);
            TElement.LoadPairs(ref next, out Vector512<float> even, out Vector512<float> odd);
            Vector512<uint> first = Codes512<TElement>(even, scale, zero, symmetric) & Vector512.Create(0xFu);
            Vector512<uint> second = Codes512<TElement>(odd, scale, zero, symmetric) << 4;
            Avx512F.ConvertToVector128Byte(first | second).StoreUnsafe(ref Unsafe.Add(ref bytes, i / 2));
        }
    }

    private static uint Reduce512<TElement>(Vector512<byte> magnitudes)
        where TElement : struct, IElement =>
        Reduce256<TElement>(TElement.MaxMagnitude(magnitudes.GetLower(), magnitudes.GetUpper()));

    /// <summary>Numbers whose low 4 bits are the codes, by the rule of <see cref="Group4{TElement}.Encode"/>. Adding
    /// 1.5 * 2^23 leaves the rounding to an integer to the addition; its even last bit keeps ties at even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Codes512<TElement>(
        Vector512<float> values, Vector512<float> scale, Vector512<float> zero, bool symmetric)
        where TElement : struct, IElement
    {
        Vector512<float> x = Round512<TElement>(values / scale);
        if (!symmetric) x = Round512<TElement>(x + zero);
        x = Vector512.MinNative(Vector512.MaxNative(x, Vector512.Create(-8f)), Vector512.Create(7f));
        return (x + Vector512.Create(12582912f + 8)).AsUInt32();
    }

    /// <summary>Rounds to the type's precision, values below 1/4 to the spacing above it; see docs/numerics.md for why they
    /// do not matter. The magnitudes are below 2^5. The addition of 1.5 * 2^ExtraBits times the value's power of two rounds
    /// in the last bit that the type keeps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Round512<TElement>(Vector512<float> x)
        where TElement : struct, IElement
    {
        if (TElement.ExtraBits == 0) return x;
        Vector512<uint> power = Vector512.Max(x.AsUInt32() & Vector512.Create(0x7F80_0000u), Vector512.Create(0x3E80_0000u));
        Vector512<float> shifter = (power + Vector512.Create(((uint)TElement.ExtraBits << 23) + 0x0040_0000u)).AsSingle();
        return (x + shifter) - shifter;
    }
}
