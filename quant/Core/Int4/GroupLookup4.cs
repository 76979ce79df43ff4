using System.Runtime.CompilerServices;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

/// <summary>
/// Decodes INT4 weights for one vector width. A group has only 16 values; the wider paths compute and round those once and
/// select by code, so the result has the bits of <see cref="PackedGroups4.Bits{TElement}"/> for each value by itself.
/// </summary>
internal unsafe interface IGroupLookup4
{
    /// <summary>Writes values <paramref name="first"/> to first + count of one group, rounded to the stored format, as
    /// stored, any alignment. Both numbers are multiples of 8.</summary>
    static abstract void ToStored<TElement>(in PackedGroups4 weights, long group, int first, int count, byte* destination)
        where TElement : struct, IElement;

    /// <summary>The same values, rounded to the stored format and widened back to float32.</summary>
    static abstract void ToSingle<TElement>(in PackedGroups4 weights, long group, int first, int count, float* destination)
        where TElement : struct, IElement;

    /// <summary>Whether <see cref="Pairs"/> and <see cref="DotPairs"/> exist for this width.</summary>
    static virtual bool HasPairs => false;

    /// <summary>
    /// As <see cref="ToSingle"/>, but from value <paramref name="first"/> of a group on over any number of groups, and each 32
    /// values come as the 16 of even index, then the 16 of odd index. Group size, first and count are multiples of 32.
    /// </summary>
    static virtual void Pairs<TElement>(in PackedGroups4 weights, long group, int first, int count, float* destination)
        where TElement : struct, IElement => throw new NotSupportedException();

    /// <summary>The sum of the values of <see cref="Pairs"/> times x, which is in the same order. Float32 sums in lanes, fused;
    /// no chain of additions is longer than count / 32 + 8.</summary>
    static virtual float DotPairs<TElement>(in PackedGroups4 weights, long group, int first, int count, float* x)
        where TElement : struct, IElement => throw new NotSupportedException();
}

/// <summary>The definition in the shape of a look-up, and what the others leave over.</summary>
internal readonly unsafe struct GroupLookupScalar : IGroupLookup4
{
    public static void ToStored<TElement>(in PackedGroups4 weights, long group, int first, int count, byte* destination)
        where TElement : struct, IElement
    {
        for (int i = 0; i < count; i++)
        {
            uint bits = weights.Bits<TElement>(group, first + i);
            if (TElement.Size == 4) Unsafe.WriteUnaligned(destination + i * 4, bits);
            else Unsafe.WriteUnaligned(destination + i * 2, (ushort)bits);
        }
    }

    public static void ToSingle<TElement>(in PackedGroups4 weights, long group, int first, int count, float* destination)
        where TElement : struct, IElement
    {
        for (int i = 0; i < count; i++) destination[i] = TElement.FromBits(weights.Bits<TElement>(group, first + i));
    }
}
