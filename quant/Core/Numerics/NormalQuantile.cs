namespace Bnb.Quant.Numerics;

/// <summary>The inverse of the standard normal distribution function, with nothing but float64 additions, multiplications and
/// divisions in loops of fixed length, so that kernels on other devices run the same code.</summary>
internal static class NormalQuantile
{
    /// <summary>The largest probability that <see cref="Of"/> takes.</summary>
    public const double Largest = 0.999;

    private const double RootOfTwoPi = 2.5066282746310005;

    // Fixed, because what depends on values is slow on a GPU and may differ there. For z <= 3.1 the terms that are left out
    // of either series are below 2^-60 of the sum.
    private const int Terms = 64, Steps = 16;

    /// <summary>
    /// The z with P(Z &lt; z) = <paramref name="probability"/>, for 0.5 &lt;= probability &lt;= <see cref="Largest"/>.
    /// Bounded: |result - z| &lt;= 2^-39 z, also where a device fuses a product and a sum. Both series have positive terms only:
    /// each is within 2^-46 of its sum, for 64 additions and at most 3 roundings for each of the first 20 terms, beyond which
    /// they do not count. A step subtracts the two, each at most 48 z up to <see cref="Largest"/>. float32, to which callers
    /// round, has 2^-24.
    /// </summary>
    /// <remarks>Newton's method from 0. The distribution function is concave there, so every step ends at or before the root:
    /// it cannot overshoot, and 16 steps are twice what <see cref="Largest"/> takes.</remarks>
    public static double Of(double probability)
    {
        double target = (probability - 0.5) * RootOfTwoPi, z = 0;
        for (int step = 0; step < Steps; step++) z += target * ExpOfHalfSquare(z) - Series(z);
        return z;
    }

    /// <summary>P(0 &lt; Z &lt; z) by the series density * (z + z^3/3 + z^5/(3*5) + ...), all terms positive.</summary>
    internal static double HalfCentre(double z, double density)
    {
        double term = z, sum = z;
        for (int k = 3; term > sum * 1e-18; k += 2)
        {
            term *= z * z / k;
            sum += term;
        }

        return sum * density;
    }

    /// <summary>The same series without the density, to a fixed number of terms.</summary>
    private static double Series(double z)
    {
        double square = z * z, term = z, sum = z, divisor = 1;
        for (int i = 1; i < Terms; i++)
        {
            divisor += 2;
            term = term * square / divisor;
            sum += term;
        }

        return sum;
    }

    /// <summary>e^(z^2 / 2).</summary>
    private static double ExpOfHalfSquare(double z)
    {
        double power = z * z * 0.5, term = 1, sum = 1, divisor = 0;
        for (int i = 1; i < Terms; i++)
        {
            divisor += 1;
            term = term * power / divisor;
            sum += term;
        }

        return sum;
    }
}
