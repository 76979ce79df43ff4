using Bnb.Quant.Search;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>What the scales of one block are counted by.</summary>
internal struct ScaleOrigin
{
    /// <summary>Nested absmax of the block's group; unused by scales that are not nested.</summary>
    public float Nested;

    /// <summary>How many of the smallest positive values of nested codes are too small to have a reciprocal.</summary>
    public int LeftOutPositive;

    /// <summary>The same of negative values.</summary>
    public int LeftOutNegative;
}

/// <summary><see cref="IScaleSet"/> in kernels, and how the scale that was found is stored.</summary>
internal interface ISearchedScales
{
    /// <summary>Whether the place of a scale holds any float32, so that the best of the set can be refined.</summary>
    static abstract bool Refines { get; }

    /// <summary>Whether scales are those of nested codes.</summary>
    static abstract bool IsNested { get; }

    /// <summary>How many there are of a sign.</summary>
    static abstract int Count(ScaleOrigin origin, bool negative);

    /// <summary>The magnitude at an index.</summary>
    /// <param name="map">The 256 values of nested codes.</param>
    static abstract float At(ScaleOrigin origin, ArrayView<float> map, int index, bool negative);

    /// <summary>The last index whose magnitude is not above the given one, which is finite; 0 when there is none.</summary>
    static abstract int Floor(ScaleOrigin origin, ArrayView<float> map, double magnitude, bool negative);

    /// <summary>The scale of a block without a search, whose largest magnitude is too small or too large for one.</summary>
    static abstract float Plain(ScaleOrigin origin, ArrayView<float> map, float absmax);

    /// <summary>Stores the scale of a block.</summary>
    /// <param name="index">Its place in the set; -1 for that of a block of zeros.</param>
    static abstract void Put(ArrayView<byte> scales, int block, ScaleOrigin origin, float scale, int index, bool negative);
}

/// <summary><see cref="ShortScales"/> of 8 significant bits, or 10 of <see cref="SearchedInt8"/>; stored as float32.</summary>
internal readonly struct SearchedShort<TBits> : ISearchedScales
    where TBits : struct, ISignificantBits
{
    public static bool Refines => true;

    public static bool IsNested => false;

    private static int First => 0x0080_0000 >> TBits.Shift;

    public static int Count(ScaleOrigin origin, bool negative) => (Magnitudes.Infinity >> TBits.Shift) - First;

    public static float At(ScaleOrigin origin, ArrayView<float> map, int index, bool negative) =>
        Bits.ToSingle((First + index) << TBits.Shift);

    public static int Floor(ScaleOrigin origin, ArrayView<float> map, double magnitude, bool negative)
    {
        float nearest = (float)magnitude;
        int bits = Bits.Of(nearest);
        // The number below: of a magnitude that was rounded up.
        if (nearest > magnitude) bits--;
        return Math.Max(0, Math.Min((bits >> TBits.Shift) - First, Count(origin, negative) - 1));
    }

    public static float Plain(ScaleOrigin origin, ArrayView<float> map, float absmax) => TBits.Plain(absmax);

    public static void Put(ArrayView<byte> scales, int block, ScaleOrigin origin, float scale, int index, bool negative) =>
        StoredF32.Put(scales, block, StoredF32.ToBits(scale));
}

/// <summary>How many significant bits the compared float32 scales have, and what a block without a search has.</summary>
internal interface ISignificantBits
{
    /// <summary>24 less their number.</summary>
    static abstract int Shift { get; }

    /// <summary>The scale without a search.</summary>
    static abstract float Plain(float absmax);
}

/// <summary>8, of nf4 and fp4.</summary>
internal readonly struct EightBits : ISignificantBits
{
    public static int Shift => 24 - SearchBlocks4.SignificantBits;

    public static float Plain(float absmax) => absmax;
}

/// <summary>8, of int4.</summary>
internal readonly struct EightBitsOfInt4 : ISignificantBits
{
    public static int Shift => 24 - SearchGroups4.SignificantBits;

    public static float Plain(float absmax) => Int4Plain.Scale<StoredF32>(absmax);
}

/// <summary>10, of int8.</summary>
internal readonly struct TenBits : ISignificantBits
{
    public static int Shift => 24 - SearchRows8.SignificantBits;

    public static float Plain(float absmax) => absmax;
}

/// <summary><see cref="HalfScales{TElement}"/>: the numbers of a 16-bit type, in which they are stored.</summary>
internal readonly struct SearchedHalf<TStored> : ISearchedScales
    where TStored : struct, IStored
{
    public static bool Refines => false;

    public static bool IsNested => false;

    // 65504 as float16 and the largest finite number of bfloat16: both are one below their infinity.
    private static int Most => TStored.ToBits(Bits.ToSingle(Magnitudes.Infinity)) - 1;

    public static int Count(ScaleOrigin origin, bool negative) => Most;

    public static float At(ScaleOrigin origin, ArrayView<float> map, int index, bool negative) => TStored.FromBits(index + 1);

    public static int Floor(ScaleOrigin origin, ArrayView<float> map, double magnitude, bool negative)
    {
        int bits = Math.Max(1, Math.Min(TStored.ToBits((float)magnitude), Most));
        // The rounding may go up one number.
        if (bits > 1 && TStored.FromBits(bits) > magnitude) bits--;
        return bits - 1;
    }

    public static float Plain(ScaleOrigin origin, ArrayView<float> map, float absmax) => Int4Plain.Scale<TStored>(absmax);

    public static void Put(ArrayView<byte> scales, int block, ScaleOrigin origin, float scale, int index, bool negative) =>
        TStored.Put(scales, block, TStored.ToBits(scale));
}

/// <summary><see cref="NestedScales"/>: what nested codes decode to, stored as the code.</summary>
internal readonly struct SearchedNested : ISearchedScales
{
    /// <summary>The code whose value is 0; <see cref="NestedScales.ZeroCode"/>, which is no constant.</summary>
    public const int ZeroCode = 127;

    /// <summary>2^-120: smaller ones are left out.</summary>
    private const float Smallest = 7.52316385e-37f;

    private const int Positives = 255 - ZeroCode, Negatives = ZeroCode;

    public static bool Refines => false;

    public static bool IsNested => true;

    /// <summary>The set of a group.</summary>
    public static ScaleOrigin Of(ArrayView<float> map, float nested)
    {
        ScaleOrigin origin = default;
        origin.Nested = nested;
        while (origin.LeftOutPositive < Positives && map[ZeroCode + 1 + origin.LeftOutPositive] * nested < Smallest) origin.LeftOutPositive++;
        while (origin.LeftOutNegative < Negatives && -map[ZeroCode - 1 - origin.LeftOutNegative] * nested < Smallest) origin.LeftOutNegative++;
        return origin;
    }

    public static int Count(ScaleOrigin origin, bool negative) =>
        negative ? Negatives - origin.LeftOutNegative : Positives - origin.LeftOutPositive;

    public static float At(ScaleOrigin origin, ArrayView<float> map, int index, bool negative)
    {
        float value = map[CodeAt(origin, index, negative)];
        return (negative ? -value : value) * origin.Nested;
    }

    public static int Floor(ScaleOrigin origin, ArrayView<float> map, double magnitude, bool negative)
    {
        int low = 0, high = Count(origin, negative) - 1;
        while (low < high)
        {
            int middle = (low + high + 1) >> 1;
            if (At(origin, map, middle, negative) <= magnitude) low = middle;
            else high = middle - 1;
        }

        return low;
    }

    public static float Plain(ScaleOrigin origin, ArrayView<float> map, float absmax) =>
        absmax == 0f || Count(origin, false) == 0 ? 0f : At(origin, map, Floor(origin, map, absmax, false), false);

    public static void Put(ArrayView<byte> scales, int block, ScaleOrigin origin, float scale, int index, bool negative) =>
        scales[block] = (byte)(index < 0 ? ZeroCode : CodeAt(origin, index, negative));

    private static int CodeAt(ScaleOrigin origin, int index, bool negative) =>
        negative ? ZeroCode - 1 - origin.LeftOutNegative - index : ZeroCode + 1 + origin.LeftOutPositive + index;
}

/// <summary>The scale of a group of INT4 that is not searched.</summary>
internal static class Int4Plain
{
    public static float Scale<TStored>(float absmax)
        where TStored : struct, IStored
    {
        float scale = TStored.Rounded(absmax / 7.5f);
        int magnitude = Bits.Of(scale) & Magnitudes.Mask;
        return magnitude == 0 || magnitude >= Magnitudes.Infinity ? TStored.Epsilon : scale;
    }
}
