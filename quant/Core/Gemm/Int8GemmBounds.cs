using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gemm;

/// <summary>The a-priori bound on the error of <see cref="Int8Gemm"/>, for one element of the result. Derived in
/// docs/numerics.md; notation as in <see cref="GemmBounds"/>.</summary>
public static class Int8GemmBounds
{
    /// <summary>
    /// |ours - reference| against <see cref="ReferenceInt8Gemm"/>: gamma(7) P + gamma(d + 2) S + (o + 2) 2^-149 with d =
    /// <see cref="GemmBounds.Depth"/>(o). Holds for finite values that do not overflow.
    /// </summary>
    /// <param name="outlierColumns">o, the number of columns multiplied apart.</param>
    /// <param name="integerPart">P, the magnitude of the scaled integer sum.</param>
    /// <param name="outlierMagnitude">S, the sum of absolute products over the outlier columns.</param>
    public static double For(int outlierColumns, double integerPart, double outlierMagnitude)
    {
        const double Roundings = 7;
        double nu = Roundings * GemmBounds.UnitRoundoff(ElementType.F32);
        return nu / (1 - nu) * integerPart
            + GemmBounds.ForFp32(outlierColumns, outlierMagnitude)
            + 2 * GemmBounds.HalfSubnormal(ElementType.F32);
    }
}
