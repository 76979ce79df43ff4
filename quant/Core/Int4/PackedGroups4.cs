using System.Runtime.CompilerServices;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

/// <summary>The addresses and layout of INT4 weights in groups. Valid while the caller keeps them fixed; no zero points (null)
/// means zeros. Groups are numbered through the whole matrix, whose rows are whole groups.</summary>
internal readonly unsafe struct PackedGroups4(
    byte* packed, byte* scales, sbyte* zeroPoints, ElementType scaleType, int groupSize)
{
    public readonly byte* Packed = packed;
    public readonly byte* Scales = scales;
    public readonly sbyte* ZeroPoints = zeroPoints;
    public readonly ElementType ScaleType = scaleType;
    public readonly int GroupSize = groupSize;

    /// <summary>Throws unless the size is a positive multiple of 8, so that groups are whole words.</summary>
    public static void CheckGroupSize(int groupSize)
    {
        if (groupSize > 0 && groupSize % 8 == 0) return;
        throw new ArgumentOutOfRangeException(nameof(groupSize), groupSize, "must be a positive multiple of 8");
    }

    /// <summary>The bytes of the codes from <paramref name="index"/> (even) on in a group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* CodesAt(long group, int index) => Packed + (group * GroupSize + index) / 2;

    /// <summary>The scale of a group, widened. Exact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float ScaleAt(long group) => ScaleType switch
    {
        ElementType.F32 => Unsafe.ReadUnaligned<float>(Scales + group * 4),
        ElementType.F16 => F16Element.FromBits(Unsafe.ReadUnaligned<ushort>(Scales + group * 2)),
        _ => BF16Element.FromBits(Unsafe.ReadUnaligned<ushort>(Scales + group * 2)),
    };

    /// <summary>What is subtracted from the codes of a group: 8 + zero point. Exact, as is the difference, in every type.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float OffsetAt(long group) => ZeroPoints == null ? 8 : 8 + ZeroPoints[group];

    /// <summary>The definition: one value of a group as the bits of <typeparamref name="TElement"/>.</summary>
    public uint Bits<TElement>(long group, int index)
        where TElement : struct, IElement
    {
        int code = (*CodesAt(group, index & ~1) >> (index % 2 == 0 ? 0 : 4)) & 0xF;
        float product = (code - OffsetAt(group)) * ScaleAt(group);
        float value = ScaleType switch
        {
            ElementType.F32 => product,
            ElementType.F16 => F16Element.FromBits(F16Element.ToBits(product)),
            _ => BF16Element.FromBits(BF16Element.ToBits(product)),
        };
        return TElement.ToBits(value);
    }
}
