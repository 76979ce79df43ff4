namespace Bnb.Quant.Search;

/// <summary>The normal float32 numbers of both signs that have only so many significant bits.</summary>
internal readonly struct ShortScales(int significantBits) : IScaleSet
{
    private readonly int _shift = 24 - significantBits;

    public static bool Refines => true;

    private int First => 0x0080_0000 >> _shift;

    public int Count(bool negative) => (0x7F80_0000 >> _shift) - First;

    public float At(int index, bool negative) => BitConverter.Int32BitsToSingle((First + index) << _shift);

    public int Floor(double magnitude, bool negative)
    {
        float nearest = (float)magnitude;
        return Near(nearest > magnitude ? MathF.BitDecrement(nearest) : nearest, negative);
    }

    public int Near(float magnitude, bool negative) =>
        Math.Clamp((BitConverter.SingleToInt32Bits(magnitude) >> _shift) - First, 0, Count(negative) - 1);
}
