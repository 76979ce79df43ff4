using System.Collections.Concurrent;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

/// <summary>What group-wise INT4 does to normally distributed weights, by calculation.</summary>
public static class TheoryGroups4
{
    // Beyond 10 lies less than 1e-13 of the probability for the largest groups.
    private const double End = 10;

    private static readonly ConcurrentDictionary<(int GroupSize, bool Symmetric), double> Known = new();

    /// <summary>
    /// The expected relative RMSE, sqrt(E[(w - dequantize(quantize(w)))^2] / E[w^2]), of independent normal weights; their
    /// deviation does not matter. Numerical integration, error below 1e-5 of the result (1e-6 from 32 on). Roundings to the
    /// weights' type are left out.
    /// </summary>
    /// <param name="groupSize">Values per group, at least 8.</param>
    /// <param name="symmetric">Whether all zero points are 0.</param>
    /// <remarks>Both kinds decode to the nearest multiple of the scale: no value lies more than half a scale beyond the codes'
    /// range. Given a group's extremes, the other values are independent normal values between them.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The group size is not supported.</exception>
    public static double RelativeRmse(int groupSize, bool symmetric)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(groupSize, 8);
        return Known.GetOrAdd((groupSize, symmetric), static key =>
            Math.Sqrt(key.Symmetric ? Symmetric(key.GroupSize) : Asymmetric(key.GroupSize)));
    }

    /// <summary>Over the distribution of absmax, P(absmax &lt; a) = P(|w| &lt; a)^n. The value +-a is 7.5 scales, half a scale
    /// from its code.</summary>
    private static double Symmetric(int n)
    {
        const double Step = 1.0 / 128;
        double sum = 0;
        for (double a = Step; a <= End; a += Step)
        {
            double inside = 2 * Centre(a), scale = a / 7.5;
            double density = n * Math.Pow(inside, n - 1) * 2 * Density(a);
            if (density == 0) continue;
            sum += density * (scale * scale / 4 + (n - 1) * SquaredError(scale, -a, a) / inside);
        }

        return sum * Step / n;
    }

    /// <summary>Two trapezoid sums, extrapolated: at the values where an extreme is half way between two multiples of the
    /// scale the integrand has kinks, so the error falls with the square of the step.</summary>
    private static double Asymmetric(int n) => (4 * Asymmetric(n, 1.0 / 32) - Asymmetric(n, 1.0 / 16)) / 3;

    /// <summary>Over the joint distribution of the smallest and the largest value, and of the largest alone when all are
    /// positive, as 0 is the smallest then. Mirrored groups have mirrored errors, so min runs from -max to 0.</summary>
    private static double Asymmetric(int n, double step)
    {
        double sum = 0, oneSided = 0;
        for (double max = step; max <= End; max += step)
        {
            double above = Centre(max), density = n * Math.Pow(above, n - 1) * Density(max);
            if (density > 0) oneSided += density * (n - 1) * SquaredError(max / 15, 0, max) / above;
            for (double min = 0; min >= -max; min -= step)
            {
                double inside = above - Centre(min), scale = (max - min) / 15;
                density = n * (n - 1.0) * Math.Pow(inside, n - 2) * Density(min) * Density(max);
                if (density < 1e-20) continue;
                double error = Square(max, scale) + Square(min, scale) + (n - 2) * SquaredError(scale, min, max) / inside;
                sum += density * error * (min == 0 || min == -max ? 0.5 : 1);
            }
        }

        return 2 * (sum * step * step + oneSided * step) / n;
    }

    private static double Square(double value, double scale) => Math.Pow(value - scale * Math.Round(value / scale), 2);

    /// <summary>The integral of (w - q(w))^2 over the normal density from low to high, where q(w) is the nearest multiple of the
    /// scale: in closed form between two midpoints.</summary>
    private static double SquaredError(double scale, double low, double high)
    {
        double sum = 0;
        double centre0 = Centre(low), density0 = Density(low), from = low;
        for (double level = Math.Round(low / scale); from < high; level++)
        {
            double to = Math.Min(high, (level + 0.5) * scale), value = level * scale;
            if (to <= from) continue;
            double centre1 = Centre(to), density1 = Density(to);
            double moment0 = centre1 - centre0, moment1 = density0 - density1;
            double moment2 = moment0 + from * density0 - to * density1;
            sum += moment2 - 2 * value * moment1 + value * value * moment0;
            (from, centre0, density0) = (to, centre1, density1);
        }

        return sum;
    }

    /// <summary>P(0 &lt; Z &lt; z), negative for negative z.</summary>
    private static double Centre(double z) =>
        z == 0 ? 0 : Math.CopySign(NormalQuantile.HalfCentre(Math.Abs(z), Density(z)), z);

    private static double Density(double z) => Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
}
