using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gemm;

/// <summary>
/// A-priori bounds on the error of matrix products, for one element of the result. Derived in docs/numerics.md; they hold for
/// finite values whose sums do not overflow. Notation: u is the unit roundoff, gamma(n) = n u / (1 - n u), S is the sum of
/// |x| |w| over the element's products, as <see cref="ReferenceGemm"/> gives it.
/// </summary>
public static class GemmBounds
{
    /// <summary>Half the distance from 1 to the next value: 2^-24, 2^-11, 2^-8 for F32, F16, BF16.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The element type is not supported.</exception>
    public static double UnitRoundoff(ElementType type) => type switch
    {
        ElementType.F32 => Math.ScaleB(1, -24),
        ElementType.F16 => Math.ScaleB(1, -11),
        ElementType.BF16 => Math.ScaleB(1, -8),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an element type"),
    };

    /// <summary>Half the distance between subnormal values, the largest rounding error near zero: 2^-150, 2^-25, 2^-134 for
    /// F32, F16, BF16.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The element type is not supported.</exception>
    public static double HalfSubnormal(ElementType type) => type switch
    {
        ElementType.F32 => Math.ScaleB(1, -150),
        ElementType.F16 => Math.ScaleB(1, -25),
        ElementType.BF16 => Math.ScaleB(1, -134),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an element type"),
    };

    /// <summary>
    /// |ours - reference| for <see cref="Sgemm"/> and <see cref="MixedGemm4"/> against either <see cref="ReferenceGemm"/> over
    /// the very weights that were multiplied: gamma(d + 2) S + (k + 1) 2^-149 with d = <see cref="Depth"/>(k). The 2 are the
    /// reference's own additions and its rounding to float32.
    /// </summary>
    /// <param name="k">Products per sum.</param>
    /// <param name="sumAbsProducts">S, not negative.</param>
    public static double ForFp32(int k, double sumAbsProducts) => Chain(Depth(k), k, sumAbsProducts);

    /// <summary>The same for a float32 product by anyone, whatever the order of its additions: gamma(k + 2) S + (k + 1) 2^-149.
    /// For more than a thousand products it is too wide to notice a wrong kernel.</summary>
    /// <param name="k">Products per sum.</param>
    /// <param name="sumAbsProducts">S, not negative.</param>
    public static double ForAnyOrder(int k, double sumAbsProducts) => Chain(k, k, sumAbsProducts);

    /// <summary>The largest number of roundings that any one product goes through in our kernels: the 256 of its run and one
    /// per run.</summary>
    public static int Depth(int k) =>
        Math.Min(k, GemmDriver.RunLength + (k + GemmDriver.RunLength - 1) / GemmDriver.RunLength);

    /// <summary>
    /// What rounding a sum to the stored type adds: u |y| + half a subnormal step, where y is the float32 sum. With
    /// |reference| for |y|, add the kernel's bound to it first.
    /// </summary>
    /// <param name="type">The type the result is rounded to; nothing for F32, which the sums already are.</param>
    /// <param name="magnitude">|y|.</param>
    public static double ForOutput(ElementType type, double magnitude) => type == ElementType.F32
        ? 0
        : UnitRoundoff(type) * magnitude + HalfSubnormal(type);

    /// <summary>
    /// What rounding the weights to the compute type adds, against the product with unrounded weights: u S + half a subnormal
    /// step times the sum of |x|. S over unrounded weights; nothing for F32.
    /// </summary>
    /// <param name="type">The compute type.</param>
    /// <param name="sumAbsProducts">S, not negative.</param>
    /// <param name="sumAbsActivations">The sum of |x| over the element's products.</param>
    public static double ForWeights(ElementType type, double sumAbsProducts, double sumAbsActivations) =>
        type == ElementType.F32 ? 0 : UnitRoundoff(type) * sumAbsProducts + HalfSubnormal(type) * sumAbsActivations;

    private static double Chain(int depth, int k, double sumAbsProducts)
    {
        double nu = (depth + 2.0) * UnitRoundoff(ElementType.F32);
        double gamma = nu < 1 ? nu / (1 - nu) : double.PositiveInfinity;
        double relative = sumAbsProducts == 0 ? 0 : gamma * sumAbsProducts;
        return relative + (k + 1.0) * 2 * HalfSubnormal(ElementType.F32);
    }
}
