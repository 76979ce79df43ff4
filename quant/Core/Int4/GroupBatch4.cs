using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

/// <summary>
/// Scales and zero points of 16 groups at a time, by the rule of <see cref="Group4{TElement}"/> in portable vectors: for small
/// groups these few numbers cost as much as the codes. Groups that are not finite get what does not matter.
/// </summary>
internal ref struct GroupBatch4
{
    /// <summary>Groups in a full batch.</summary>
    public const int Size = 16;

    private Lanes _high;
    private Lanes _low;
    private Lanes _scale;
    private Lanes _scaleBits;
    private Lanes _zero;

    /// <summary>Takes stored magnitudes: of the largest value and of the smallest, each with 0 among the values. For
    /// symmetric groups the first is that of absmax and the second 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetRange(int group, uint high, uint low)
    {
        _high[group] = high;
        _low[group] = low;
    }

    /// <summary>Computes all that follows from the ranges.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Compute<TElement>(bool symmetric)
        where TElement : struct, IElement
    {
        for (int i = 0; i < Size; i += Vector128<uint>.Count)
        {
            Vector128<float> max = TElement.FromBits(Load(ref _high, i)), min = -TElement.FromBits(Load(ref _low, i));
            Vector128<float> scale = symmetric
                ? Round<TElement>(max / Vector128.Create(7.5f))
                : Round<TElement>(Round<TElement>(max - min) / Vector128.Create(15f));
            if (!symmetric) Store(ref _zero, i, ZeroPoints<TElement>(min / scale).AsUInt32());
            Vector128<float> isZero = Vector128.Equals(scale, Vector128<float>.Zero);
            scale = Vector128.ConditionalSelect(isZero, Vector128.Create(TElement.Epsilon), scale);
            Store(ref _scale, i, scale.AsUInt32());
            Store(ref _scaleBits, i, TElement.ToBits(scale));
        }
    }

    /// <summary>Whether the range of a group is finite, which says the same of all its values.</summary>
    public readonly bool IsFinite<TElement>(int group)
        where TElement : struct, IElement =>
        TElement.IsFiniteMagnitude(_high[group]) && TElement.IsFiniteMagnitude(_low[group]);

    public readonly float Scale(int group) => BitConverter.UInt32BitsToSingle(_scale[group]);

    /// <summary>The zero point, 0 when symmetric.</summary>
    public readonly float Zero(int group) => BitConverter.UInt32BitsToSingle(_zero[group]);

    /// <summary>Writes scale and zero point of a group where the caller wants them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Write<TElement>(int group, int index, Span<byte> scales, Span<sbyte> zeroPoints)
        where TElement : struct, IElement
    {
        if (TElement.Size == 4) MemoryMarshal.Write(scales[(index * 4)..], _scaleBits[group]);
        else MemoryMarshal.Write(scales[(index * 2)..], (ushort)_scaleBits[group]);
        if (!zeroPoints.IsEmpty) zeroPoints[index] = (sbyte)Zero(group);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZeroPoints<TElement>(Vector128<float> lowest)
        where TElement : struct, IElement
    {
        Vector128<float> zero = Round<TElement>(Vector128.Create(-8f) - Round<TElement>(lowest));
        Vector128<float> clamped = Vector128.MinNative(
            Vector128.MaxNative(zero, Vector128.Create(-8f)), Vector128.Create(7f));

        // Adding and subtracting 1.5 * 2^23 rounds to an integer, half to even. NaN, from 0/0, becomes 0.
        Vector128<float> shifter = Vector128.Create(12582912f);
        return ((clamped + shifter) - shifter) & Vector128.Equals(zero, zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Round<TElement>(Vector128<float> value)
        where TElement : struct, IElement => TElement.FromBits(TElement.ToBits(value));

    private static Vector128<uint> Load(ref Lanes lanes, int index) => Vector128.LoadUnsafe(ref lanes[0], (nuint)index);

    private static void Store(ref Lanes lanes, int index, Vector128<uint> values) =>
        values.StoreUnsafe(ref lanes[0], (nuint)index);

    [InlineArray(Size)]
    private struct Lanes
    {
        private uint _first;
    }
}
