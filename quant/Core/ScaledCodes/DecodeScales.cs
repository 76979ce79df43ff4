using Bnb.Quant.Numerics;

namespace Bnb.Quant.ScaledCodes;

/// <summary>Stored scales to float32.</summary>
public static class DecodeScales
{
    /// <summary>Bytes that one stored scale takes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The code is none of the known ones.</exception>
    public static int Size(this ScaleCode code) => code switch
    {
        ScaleCode.F32 => 4,
        ScaleCode.F16 or ScaleCode.BF16 => 2,
        ScaleCode.E4M3 or ScaleCode.E8M0 or ScaleCode.Exponent or ScaleCode.HalfExponent => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(code), code, "not a scale code"),
    };

    /// <summary>The scales as float32, exactly; a byte of 0 is the subnormal 2^-127 (2^-128 by half).</summary>
    /// <param name="stored">code.Size() bytes per scale, little-endian, any alignment.</param>
    /// <param name="scales">As many values.</param>
    /// <exception cref="ArgumentException">The lengths disagree.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The code is none of the known ones.</exception>
    public static void ToSingle(ScaleCode code, ReadOnlySpan<byte> stored, Span<float> scales)
    {
        BlockGrid.CheckLength(nameof(stored), (long)scales.Length * code.Size(), stored.Length);
        switch (code)
        {
            case ScaleCode.F32: Widen.ToSingle(ElementType.F32, stored, scales); break;
            case ScaleCode.F16: Widen.ToSingle(ElementType.F16, stored, scales); break;
            case ScaleCode.BF16: Widen.ToSingle(ElementType.BF16, stored, scales); break;
            default: ByTable(Table(code), stored, scales); break;
        }
    }

    /// <summary>Divides by one number, in place, in float32: NVFP4 of compressed-tensors.</summary>
    public static void Divide(Span<float> scales, float global)
    {
        foreach (ref float scale in scales) scale /= global;
    }

    /// <summary>Multiplies with one number, in place, in float32: NVFP4 of modelopt.</summary>
    public static void Multiply(Span<float> scales, float global)
    {
        foreach (ref float scale in scales) scale *= global;
    }

    private static readonly float[] E4M3 = Make(value => FloatCode<E4M3Layout>.Of(value, 0));
    private static readonly float[] E8M0 = Make(value => value == 255 ? float.NaN : PowerOfTwo((int)value - 127));
    private static readonly float[] Exponents = Make(value => PowerOfTwo((int)value - 127));
    private static readonly float[] HalfExponents = Make(value => PowerOfTwo((int)value - 128));

    private static float[] Table(ScaleCode code) => code switch
    {
        ScaleCode.E4M3 => E4M3,
        ScaleCode.E8M0 => E8M0,
        ScaleCode.Exponent => Exponents,
        _ => HalfExponents,
    };

    private static void ByTable(float[] table, ReadOnlySpan<byte> stored, Span<float> scales)
    {
        for (int i = 0; i < stored.Length; i++) scales[i] = table[stored[i]];
    }

    // ScaleB is exact, gives subnormals, and an infinity for 128.
    private static float PowerOfTwo(int exponent) => MathF.ScaleB(1f, exponent);

    private static float[] Make(Func<uint, float> value) => [.. Enumerable.Range(0, 256).Select(code => value((uint)code))];
}
