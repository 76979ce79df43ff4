using System.Collections.Concurrent;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int8;

/// <summary>What row-wise 8-bit quantization does to normally distributed weights, by calculation.</summary>
public static class TheoryRows8
{
    private static readonly ConcurrentDictionary<int, double> Known = new();

    /// <summary>
    /// The expected relative RMSE, sqrt(E[(w - dequantize(quantize(w)))^2] / E[w^2]), of independent normal weights; their
    /// deviation does not matter. Bounded: within 1e-5 relative. The roundings to float16 and of the quantizer are left out;
    /// the former change no weight that was float16 or an ordinary bfloat16, and raise the result for float32 weights by less
    /// than 1/1000 of itself from 64 columns on.
    /// </summary>
    /// <param name="columns">Values per row, at least 1.</param>
    /// <remarks>
    /// Given a row's absmax a, one value is +-a, which is exact, and the others are independent normal values between -a and
    /// a, rounded to multiples of s = a / 127. The density hardly changes within a step, so their mean squared error is
    /// s^2 / 12, and the expected one (n - 1)/n E[a^2] / (12 * 127^2), with P(a &lt; t) = P(|w| &lt; t)^n. That a ends in the
    /// middle of a step adds nothing, since the squared error is symmetric about a value of the grid.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">There are no columns.</exception>
    public static double RelativeRmse(int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        return Known.GetOrAdd(columns, static n => Math.Sqrt((n - 1.0) / n * MeanSquaredAbsmax(n) / (12.0 * 127 * 127)));
    }

    private static double MeanSquaredAbsmax(int columns)
    {
        // The trapezoid rule, as in Theory4. Beyond 10 lies less than 2^31 * 2e-23 of the probability.
        const double Step = 1.0 / 128, End = 10;
        double sum = 0;
        for (double a = Step; a <= End; a += Step)
        {
            double density = Math.Exp(-a * a / 2) / Math.Sqrt(2 * Math.PI);
            double inside = 2 * NormalQuantile.HalfCentre(a, density);
            sum += a * a * columns * Math.Pow(inside, columns - 1.0) * 2 * density;
        }

        return sum * Step;
    }
}
