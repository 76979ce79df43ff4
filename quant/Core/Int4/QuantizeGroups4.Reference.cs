using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Bnb.Quant;

// The definition. Slow and obvious on purpose; every other path must give these bytes.
public static partial class QuantizeGroups4
{
    private static bool Reference<TElement>(
        int groupSize,
        bool symmetric,
        ReadOnlySpan<byte> source,
        Span<byte> scales,
        Span<sbyte> zeroPoints,
        Span<byte> packed)
        where TElement : struct, IElement
    {
        bool finite = true;
        for (int group = 0; group < packed.Length / (groupSize / 2); group++)
        {
            finite &= ReferenceGroup<TElement>(groupSize, symmetric, group, source, scales, zeroPoints, packed);
        }

        return finite;
    }

    /// <summary>One group by the definition. Returns whether every value is finite.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool ReferenceGroup<TElement>(
        int groupSize,
        bool symmetric,
        int index,
        ReadOnlySpan<byte> source,
        Span<byte> scales,
        Span<sbyte> zeroPoints,
        Span<byte> packed)
        where TElement : struct, IElement
    {
        ReadOnlySpan<byte> values = source.Slice(index * groupSize * TElement.Size, groupSize * TElement.Size);
        bool finite = true;
        float min = 0f, max = 0f;
        for (int i = 0; i < groupSize; i++)
        {
            float value = TElement.ToSingle(values, i);
            finite &= float.IsFinite(value);
            // Both keep a NaN, as torch's amin and amax do.
            min = MathF.Min(min, value);
            max = MathF.Max(max, value);
        }

        var group = new Group4<TElement>(symmetric, min, max);
        Store(group, symmetric, index, scales, zeroPoints);
        for (int i = 0; i < groupSize; i += 2)
        {
            int first = 8 + group.Encode(TElement.ToSingle(values, i));
            int second = 8 + group.Encode(TElement.ToSingle(values, i + 1));
            packed[index * (groupSize / 2) + i / 2] = (byte)(first | (second << 4));
        }

        return finite;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TElement>(
        in Group4<TElement> group, bool symmetric, int index, Span<byte> scales, Span<sbyte> zeroPoints)
        where TElement : struct, IElement
    {
        uint bits = TElement.ToBits(group.Scale);
        Span<byte> scale = scales.Slice(index * TElement.Size, TElement.Size);
        if (TElement.Size == 4) BinaryPrimitives.WriteUInt32LittleEndian(scale, bits);
        else BinaryPrimitives.WriteUInt16LittleEndian(scale, (ushort)bits);
        if (!symmetric) zeroPoints[index] = (sbyte)group.ZeroPoint;
    }
}
