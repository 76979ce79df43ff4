using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

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
        Span<byte> scale = scales.Slice(index * TElement.Size, TElement.Size);
        if (TElement.Size == 4) BinaryPrimitives.WriteUInt32LittleEndian(scale, TElement.ToBits(group.Scale));
        else BinaryPrimitives.WriteUInt16LittleEndian(scale, (ushort)TElement.ToBits(group.Scale));
        if (!symmetric) zeroPoints[index] = (sbyte)group.ZeroPoint;
        for (int i = 0; i < groupSize; i += 2)
        {
            int first = 8 + group.Encode(TElement.ToSingle(values, i));
            int second = 8 + group.Encode(TElement.ToSingle(values, i + 1));
            packed[index * (groupSize / 2) + i / 2] = (byte)(first | (second << 4));
        }

        return finite;
    }
}
