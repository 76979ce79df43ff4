using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Quant;

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
        int groupBytes = groupSize * TElement.Size;
        bool finite = true;
        for (int index = 0; index < packed.Length / (groupSize / 2); index++)
        {
            // Inside the spans: Run has checked that they all have the same number of groups.
            ref byte values = ref Unsafe.Add(ref MemoryMarshal.GetReference(source), (nint)index * groupBytes);
            ref byte bytes = ref Unsafe.Add(ref MemoryMarshal.GetReference(packed), (nint)index * groupSize / 2);

            // Magnitudes of the largest value and, with signs turned, of the smallest. Positive stored values order like
            // integers and negative ones lie below them, so starting with 0 counts 0 among the values.
            Vector512<byte> top = default, bottom = default;
            for (int offset = 0; offset < groupBytes; offset += Vector512<byte>.Count)
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

            uint high = Reduce512<TElement>(top), low = symmetric ? 0 : Reduce512<TElement>(bottom);
            if (!TElement.IsFiniteMagnitude(high) || !TElement.IsFiniteMagnitude(low))
            {
                finite &= ReferenceGroup<TElement>(groupSize, symmetric, index, source, scales, zeroPoints, packed);
                continue;
            }

            var group = new Group4<TElement>(symmetric, -TElement.MagnitudeToSingle(low), TElement.MagnitudeToSingle(high));
            Store(group, symmetric, index, scales, zeroPoints);
            Vector512<float> scale = Vector512.Create(group.Scale), zero = Vector512.Create((float)group.ZeroPoint);
            for (int i = 0; i < groupSize; i += 32)
            {
                ref byte next = ref Unsafe.Add(ref values, i * TElement.Size);
                TElement.LoadPairs(ref next, out Vector512<float> even, out Vector512<float> odd);
                Vector512<uint> first = Codes512<TElement>(even, scale, zero, symmetric) & Vector512.Create(0xFu);
                Vector512<uint> second = Codes512<TElement>(odd, scale, zero, symmetric) << 4;
                Avx512F.ConvertToVector128Byte(first | second).StoreUnsafe(ref Unsafe.Add(ref bytes, i / 2));
            }
        }

        return finite;
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
