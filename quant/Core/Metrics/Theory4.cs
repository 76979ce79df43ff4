using System.Collections.Concurrent;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Metrics;

/// <summary>What 4-bit quantization does to normally distributed weights, by calculation.</summary>
public static class Theory4
{
    private static readonly ConcurrentDictionary<(Code4 Code, int Blocksize), double> Known = new();

    /// <summary>
    /// The expected relative RMSE, sqrt(E[(w - dequantize(quantize(w)))^2] / E[w^2]), of independent normal weights; their
    /// deviation does not matter. Numerical integration with an error far below 1e-6; roundings of the quantizer and the choice
    /// at its thresholds, which are midpoints to within 1e-7, are left out.
    /// </summary>
    /// <param name="code">The 4-bit data type.</param>
    /// <param name="blocksize">Values per block, a power of two from 32 to 4096; all blocks full.</param>
    /// <remarks>Given a block's absmax a, one value is +-a, which both types represent exactly, and the others are
    /// independent normal values between -a and a. P(absmax &lt; a) = P(|w| &lt; a)^n.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The block size is not supported.</exception>
    public static double RelativeRmse(Code4 code, int blocksize)
    {
        ArgumentNullException.ThrowIfNull(code);
        BlockGrid.CheckBlocksize(blocksize);
        return Known.GetOrAdd((code, blocksize), static key => RelativeRmse(key.Code.Values.Span, key.Blocksize));
    }

    /// <summary>The same of any values that reach from -1 to 1, of which the nearest is taken.</summary>
    /// <param name="values">In any order, -1 and 1 among them.</param>
    /// <param name="blocksize">Values per block, a power of two from 32 to 4096; all blocks full.</param>
    /// <exception cref="ArgumentOutOfRangeException">The block size is not supported.</exception>
    public static double RelativeRmse(ReadOnlySpan<float> values, int blocksize)
    {
        BlockGrid.CheckBlocksize(blocksize);
        return Math.Sqrt(MeanSquaredError([.. values.ToArray().Distinct().Order().Select(value => (double)value)], blocksize));
    }

    private static double MeanSquaredError(double[] values, int blocksize)
    {
        // The trapezoid rule converges faster than any power of the step here: the integrand and all its derivatives vanish
        // at both ends. Beyond 10 lies less than 4096 * 2e-23 of the probability.
        const double Step = 1.0 / 128, End = 10;
        double sum = 0;
        for (double a = Step; a <= End; a += Step)
        {
            double inside = 2 * NormalQuantile.HalfCentre(a, Density(a));
            double density = blocksize * Math.Pow(inside, blocksize - 1) * 2 * Density(a);
            if (density == 0) continue;
            sum += density * SquaredError(values, a) / inside;
        }

        return sum * Step * (blocksize - 1) / blocksize;
    }

    /// <summary>The integral of (w - q(w))^2 over the normal density from -a to a, where q(w) is the nearest of a * values: in
    /// closed form between two midpoints.</summary>
    private static double SquaredError(double[] values, double a)
    {
        double sum = 0;
        for (int i = 0; i < values.Length; i++)
        {
            double low = i == 0 ? -a : a * (values[i - 1] + values[i]) / 2;
            double high = i == values.Length - 1 ? a : a * (values[i] + values[i + 1]) / 2;
            double centre = a * values[i];
            double moment0 = Centre(high) - Centre(low);
            double moment1 = Density(low) - Density(high);
            double moment2 = moment0 + low * Density(low) - high * Density(high);
            sum += moment2 - 2 * centre * moment1 + centre * centre * moment0;
        }

        return sum;
    }

    /// <summary>P(0 &lt; Z &lt; z), negative for negative z.</summary>
    private static double Centre(double z) =>
        z == 0 ? 0 : Math.CopySign(NormalQuantile.HalfCentre(Math.Abs(z), Density(z)), z);

    private static double Density(double z) => Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
}
