using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

/// <summary>
/// Scale and zero point of one group, and the arithmetic on its values: every operation is computed in float32 and rounded
/// to the weights' type, as torch does for its 16-bit types. The scalar definition that all paths share.
/// </summary>
internal readonly struct Group4<TElement>
    where TElement : struct, IElement
{
    /// <summary>The quiet NaN that a group with a NaN in it has for a scale.</summary>
    private const uint CanonicalNaN = 0x7FC0_0000;

    /// <summary>Of a group whose smallest value is <paramref name="min"/> and whose largest is <paramref name="max"/>, both
    /// with 0 counted among the values; NaN when the group has one.</summary>
    public Group4(bool symmetric, float min, float max)
    {
        float scale = symmetric
            ? Round(MathF.Max(MathF.Abs(min), MathF.Abs(max)) / 7.5f)
            : Round(Round(max - min) / 15f);

        // From the scale before a zero is replaced, so this can be 0/0.
        ZeroPoint = symmetric ? 0 : ToInteger(Round(-8f - Round(min / scale)));
        if (scale == 0) scale = TElement.Epsilon;
        Scale = float.IsNaN(scale) ? BitConverter.UInt32BitsToSingle(CanonicalNaN) : scale;
    }

    /// <summary>A value of the type; never zero.</summary>
    public float Scale { get; }

    /// <summary>The integer in [-8, 7] that stands for 0.0.</summary>
    public int ZeroPoint { get; }

    /// <summary>The integer in [-8, 7] of one value of the group. Adding a zero point of 0 does not change it.</summary>
    public int Encode(float value) => ToInteger(Round(Round(value / Scale) + ZeroPoint));

    /// <summary>Clamped, then rounded half to even; NaN gives 0.</summary>
    private static int ToInteger(float value) => float.IsNaN(value) ? 0 : (int)MathF.Round(Math.Clamp(value, -8f, 7f));

    private static float Round(float value) => TElement.FromBits(TElement.ToBits(value));
}
