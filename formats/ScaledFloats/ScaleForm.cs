namespace Bnb.Formats.ScaledFloats;

/// <summary>What a stored scale of a <see cref="ScaledFloatWeight"/> means; where only the dtype decides, it is
/// <see cref="Stored"/>.</summary>
public enum ScaleForm
{
    /// <summary>The number that is stored; F8_E8M0 is 2^(byte - 127), and 255 is NaN.</summary>
    Stored,

    /// <summary>U8, 2^(byte - 127) in float32: 255 is infinite.</summary>
    Exponent,

    /// <summary>U8, 2^(byte - 127), and 255 is 2^128 (gpt-oss, whose loader adds the exponents).</summary>
    WideExponent,

    /// <summary>F8_E4M3 over <see cref="ScaledFloatWeight.GlobalScale"/> (NVFP4 of compressed-tensors).</summary>
    OverGlobal,

    /// <summary>F8_E4M3 times <see cref="ScaledFloatWeight.GlobalScale"/> (NVFP4 of modelopt, which has no negative
    /// zeros).</summary>
    TimesGlobal,
}
