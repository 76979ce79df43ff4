
namespace Bnb.Quant.ScaledCodes;

/// <summary>The codes that stand for a value up to a scale, in the formats in which models are published today.</summary>
public enum ScaledCode
{
    /// <summary>FP8, a byte each: sign, 4 exponent bits with bias 7, 3 fraction bits; 0x7F and 0xFF are NaN, there are no
    /// infinities, the largest value is 448 (torch's <c>float8_e4m3fn</c>).</summary>
    E4M3,

    /// <summary>FP4: sign, 2 exponent bits with bias 1, 1 fraction bit: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.</summary>
    E2M1,

    /// <summary>Twice the value of <see cref="E2M1"/>, for scales that are given by half: 2^128 has no float32, its half
    /// has.</summary>
    TwiceE2M1,

    /// <summary>An unsigned integer of at most 8 bits less an integer zero point.</summary>
    Unsigned,
}
