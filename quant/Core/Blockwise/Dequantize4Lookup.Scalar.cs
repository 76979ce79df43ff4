using System.Runtime.CompilerServices;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Blockwise;

/// <summary>One value at a time, no table: the definition in the shape of a look-up.</summary>
internal readonly struct CodeLookupScalar : ICodeLookup
{
    public static void ToStored<TElement>(ref float map, float absmax, ref byte packed, ref byte destination, int groups)
        where TElement : struct, IElement
    {
        for (int i = 0; i < groups * 32; i++)
        {
            uint bits = Bits<TElement>(ref map, absmax, ref packed, i);
            ref byte place = ref Unsafe.Add(ref destination, i * TElement.Size);
            if (TElement.Size == 4) Unsafe.WriteUnaligned(ref place, bits);
            else Unsafe.WriteUnaligned(ref place, (ushort)bits);
        }
    }

    public static void ToSingle<TElement>(ref float map, float absmax, ref byte packed, ref float destination, int groups)
        where TElement : struct, IElement
    {
        for (int i = 0; i < groups * 32; i++)
        {
            Unsafe.Add(ref destination, i) = TElement.FromBits(Bits<TElement>(ref map, absmax, ref packed, i));
        }
    }

    private static uint Bits<TElement>(ref float map, float absmax, ref byte packed, int index)
        where TElement : struct, IElement
    {
        int code = (Unsafe.Add(ref packed, index / 2) >> (index % 2 == 0 ? 4 : 0)) & 0xF;
        return TElement.ToBits(Unsafe.Add(ref map, code) * absmax);
    }
}
