namespace Bnb.Quant.Numerics;

/// <summary>The inverse of the standard normal distribution function.</summary>
internal static class NormalQuantile
{
    /// <summary>
    /// The z with P(Z &lt; z) = <paramref name="probability"/>, 0.5 &lt;= probability &lt; 1. Bounded: Newton steps on a
    /// rational starting value until the float64 result stops moving, so the relative error is a few units of 2^-52, far
    /// below the float32 the caller rounds to.
    /// </summary>
    public static double Of(double probability)
    {
        // Abramowitz and Stegun 26.2.23 is within 4.5e-4, close enough for Newton to converge quadratically.
        double tail = 1 - probability;
        double t = Math.Sqrt(-2 * Math.Log(tail));
        double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
        for (int i = 0; i < 8; i++)
        {
            double density = Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
            double step = (HalfCentre(z, density) - (probability - 0.5)) / density;
            z -= step;
            if (Math.Abs(step) <= 1e-17 * Math.Abs(z)) break;
        }

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
}
