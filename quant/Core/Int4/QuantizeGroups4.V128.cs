using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

// Portable 128-bit vectors, no instruction set named. The arithmetic is that of QuantizeGroups4.V512.cs.
public static partial class QuantizeGroups4
{
    // AggressiveOptimization: fully optimised at the first call, so that the first chunk of a model is as fast as the last.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool V128<TElement>(
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
                Range128<TElement>(
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
                Group128<TElement>(
                    symmetric,
                    Vector128.Create(batch.Scale(i)),
                    Vector128.Create(batch.Zero(i)),
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
    private static void Range128<TElement>(bool symmetric, ref byte values, int length, out uint high, out uint low)
        where TElement : struct, IElement
    {
        Vector128<byte> top = default, bottom = default;
        for (int offset = 0; offset < length; offset += Vector128<byte>.Count)
        {
            Vector128<byte> stored = Vector128.LoadUnsafe(ref values, (nuint)offset);
            if (symmetric)
            {
                top = TElement.MaxMagnitude(top, stored);
            }
            else if (TElement.Size == 4)
            {
                top = Vector128.Max(top.AsInt32(), stored.AsInt32()).AsByte();
                bottom = Vector128.Max(bottom.AsInt32(), stored.AsInt32() ^ Vector128.Create(int.MinValue)).AsByte();
            }
            else
            {
                top = Vector128.Max(top.AsInt16(), stored.AsInt16()).AsByte();
                bottom = Vector128.Max(bottom.AsInt16(), stored.AsInt16() ^ Vector128.Create(short.MinValue)).AsByte();
            }
        }

        high = Reduce128<TElement>(top);
        low = symmetric ? 0 : Reduce128<TElement>(bottom);
    }

    /// <summary>The codes of one finite group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Group128<TElement>(
        bool symmetric, Vector128<float> scale, Vector128<float> zero, ref byte values, ref byte bytes, int groupSize)
        where TElement : struct, IElement
    {
        for (int i = 0; i < groupSize; i += 32)
        {
            ref byte next = ref Unsafe.Add(ref values, i * TElement.Size);
            Vector128<ushort> near = Words128<TElement>(ref next, scale, zero, symmetric);
            Vector128<ushort> far = Words128<TElement>(
                ref Unsafe.Add(ref next, 16 * TElement.Size), scale, zero, symmetric);
            Vector128.Narrow(near, far).StoreUnsafe(ref Unsafe.Add(ref bytes, i / 2));
        }
    }

    private static uint Reduce128<TElement>(Vector128<byte> magnitudes)
        where TElement : struct, IElement => TElement.Reduce(magnitudes);

    /// <summary>16 values to 8 words of two codes each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Words128<TElement>(
        ref byte source, Vector128<float> scale, Vector128<float> zero, bool symmetric)
        where TElement : struct, IElement => Vector128.Narrow(
            Pairs128<TElement>(ref source, scale, zero, symmetric),
            Pairs128<TElement>(ref Unsafe.Add(ref source, 8 * TElement.Size), scale, zero, symmetric));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Pairs128<TElement>(
        ref byte source, Vector128<float> scale, Vector128<float> zero, bool symmetric)
        where TElement : struct, IElement
    {
        TElement.LoadPairs(ref source, out Vector128<float> even, out Vector128<float> odd);
        Vector128<uint> nibble = Vector128.Create(0xFu);
        Vector128<uint> first = Codes128<TElement>(even, scale, zero, symmetric) & nibble;
        Vector128<uint> second = Codes128<TElement>(odd, scale, zero, symmetric) & nibble;
        return first | (second << 4);
    }

    /// <summary>Numbers whose low 4 bits are the codes, by the rule of <see cref="Group4{TElement}.Encode"/>. Adding
    /// 1.5 * 2^23 leaves the rounding to an integer to the addition; its even last bit keeps ties at even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Codes128<TElement>(
        Vector128<float> values, Vector128<float> scale, Vector128<float> zero, bool symmetric)
        where TElement : struct, IElement
    {
        Vector128<float> x = Round128<TElement>(values / scale);
        if (!symmetric) x = Round128<TElement>(x + zero);
        x = Vector128.MinNative(Vector128.MaxNative(x, Vector128.Create(-8f)), Vector128.Create(7f));
        return (x + Vector128.Create(12582912f + 8)).AsUInt32();
    }

    /// <summary>Rounds to the type's precision, values below 1/4 to the spacing above it; see docs/numerics.md for why they
    /// do not matter. The magnitudes are below 2^5. The addition of 1.5 * 2^ExtraBits times the value's power of two rounds
    /// in the last bit that the type keeps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Round128<TElement>(Vector128<float> x)
        where TElement : struct, IElement
    {
        if (TElement.ExtraBits == 0) return x;
        Vector128<uint> power = Vector128.Max(x.AsUInt32() & Vector128.Create(0x7F80_0000u), Vector128.Create(0x3E80_0000u));
        Vector128<float> shifter = (power + Vector128.Create(((uint)TElement.ExtraBits << 23) + 0x0040_0000u)).AsSingle();
        return (x + shifter) - shifter;
    }
}
