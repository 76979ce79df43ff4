
namespace Bnb.Quant.ScaledCodes;

/// <summary>How the scales of scaled codes are stored.</summary>
public enum ScaleCode
{
    /// <summary>IEEE binary32.</summary>
    F32,

    /// <summary>IEEE binary16.</summary>
    F16,

    /// <summary>bfloat16.</summary>
    BF16,

    /// <summary><see cref="ScaledCode.E4M3"/>, without a scale of its own.</summary>
    E4M3,

    /// <summary>2^(byte - 127); 255 is NaN (the OCP's E8M0, torch's <c>float8_e8m0fnu</c>).</summary>
    E8M0,

    /// <summary>2^(byte - 127) by exponentiation in float32, so that 255 is infinite (bytes declared as integers).</summary>
    Exponent,

    /// <summary>Half of 2^(byte - 127), 255 included, for <see cref="ScaledCode.TwiceE2M1"/>.</summary>
    HalfExponent,
}
