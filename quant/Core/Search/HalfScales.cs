using Bnb.Quant.Numerics;

namespace Bnb.Quant.Search;

/// <summary>The numbers of a 16-bit float type of both signs, subnormal ones included.</summary>
internal readonly struct HalfScales<TElement> : IScaleSet
    where TElement : struct, IElement
{
    private static readonly int Most = TElement.Type == ElementType.F16 ? 0x7BFF : 0x7F7F;

    public static bool Refines => false;

    public int Count(bool negative) => Most;

    public float At(int index, bool negative) => TElement.FromBits((ushort)(index + 1));

    public int Floor(double magnitude, bool negative)
    {
        // The rounding may go up one number; infinity and 0 are beyond the ends.
        int bits = Math.Clamp((int)TElement.ToBits((float)magnitude), 1, Most);
        if (bits > 1 && TElement.FromBits((ushort)bits) > magnitude) bits--;
        return bits - 1;
    }

    public int Near(float magnitude, bool negative) => Math.Clamp((int)TElement.ToBits(magnitude), 1, Most) - 1;
}
