namespace Bnb.Quant.Search;

/// <summary>The normal float32 numbers of both signs.</summary>
internal readonly struct SingleScales : IScaleSet
{
    private const int First = 0x0080_0000, Last = 0x7F7F_FFFF;

    public static bool Dense => true;

    public int Count(bool negative) => Last - First + 1;

    public float At(int index, bool negative) => BitConverter.Int32BitsToSingle(First + index);

    public int Floor(double magnitude, bool negative)
    {
        float nearest = (float)magnitude;
        if (nearest > magnitude) nearest = MathF.BitDecrement(nearest);
        return Math.Clamp(BitConverter.SingleToInt32Bits(nearest), First, Last) - First;
    }
}
