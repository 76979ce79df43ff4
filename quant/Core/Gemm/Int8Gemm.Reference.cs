using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Gemm;

/// <summary>The yardstick for <see cref="Int8Gemm"/>: its scheme in plain order, with integer sums and float64 scaling.</summary>
public static class ReferenceInt8Gemm
{
    /// <summary>
    /// y[i,j] = (sum over p of codeX[i,p] * code[j,p]) * SCA[i] * SCB[j] / 127^2 + the sum over the outlier columns of x[i,p] *
    /// round((code[j,p] * SCB[j]) * (1/127)). Codes, scales and rounded weights are defined to the last bit (see
    /// <see cref="Int8Activations.Prepare"/>) and computed here one value at a time; the integer sum is exact; the rest is
    /// float64, with an error below (o + 8) * 2^-53 of the two magnitudes, o the number of outlier columns.
    /// </summary>
    /// <param name="y">[m, n], overwritten.</param>
    /// <param name="integerParts">[m, n], overwritten: the magnitude of the first summand.</param>
    /// <param name="outlierMagnitudes">[m, n], overwritten: the sum of absolute products of the second.</param>
    /// <returns>The number of outlier columns.</returns>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension or the threshold is negative.</exception>
    public static int Run(
        int m,
        int n,
        int k,
        ElementType type,
        ReadOnlySpan<byte> x,
        ReadOnlySpan<sbyte> codes,
        ReadOnlySpan<float> scb,
        float threshold,
        Span<double> y,
        Span<double> integerParts,
        Span<double> outlierMagnitudes)
    {
        GemmShape.CheckDimensions(m, n, k);
        BlockGrid.CheckLength(nameof(x), (long)m * k * type.Size(), x.Length);
        BlockGrid.CheckLength(nameof(codes), (long)n * k, codes.Length);
        BlockGrid.CheckLength(nameof(scb), n, scb.Length);
        BlockGrid.CheckLength(nameof(y), (long)m * n, y.Length);
        BlockGrid.CheckLength(nameof(integerParts), y.Length, integerParts.Length);
        BlockGrid.CheckLength(nameof(outlierMagnitudes), y.Length, outlierMagnitudes.Length);
        ArgumentOutOfRangeException.ThrowIfNegative(threshold);

        var values = new float[m * k];
        Widen.ToSingle(type, x, values);
        // No comparison with a NaN holds.
        float limit = threshold == 0 ? float.NaN : (float)(Half)threshold;
        bool[] isOutlierColumn = OutlierColumns(m, k, values, limit);
        for (int i = 0; i < m; i++)
        {
            ReadOnlySpan<float> row = values.AsSpan(i * k, k);
            float absmax = Absmax(row, limit);
            int[] rowCodes = [.. values.Skip(i * k).Take(k).Select(value => Code(value, absmax))];
            for (int j = 0; j < n; j++)
            {
                long sum = 0;
                double outliers = 0, magnitude = 0;
                for (int p = 0; p < k; p++)
                {
                    sbyte code = codes[j * k + p];
                    if (!isOutlierColumn[p])
                    {
                        sum += rowCodes[p] * code;
                        continue;
                    }

                    double product = (double)row[p] * Round(type, code * scb[j] * OutlierRows8<F32Element>.Inverse);
                    outliers += product;
                    magnitude += Math.Abs(product);
                }

                double scaled = sum * (double)absmax * scb[j] / (127 * 127);
                y[i * n + j] = scaled + outliers;
                integerParts[i * n + j] = Math.Abs(scaled);
                outlierMagnitudes[i * n + j] = magnitude;
            }
        }

        return isOutlierColumn.Count(isOutlier => isOutlier);
    }

    private static bool[] OutlierColumns(int m, int k, ReadOnlySpan<float> values, float threshold)
    {
        var columns = new bool[k];
        for (int at = 0; at < m * k; at++)
        {
            if (IsOutlier((float)(Half)values[at], threshold)) columns[at % k] = true;
        }

        return columns;
    }

    private static float Absmax(ReadOnlySpan<float> row, float threshold)
    {
        float absmax = 0;
        foreach (float value in row)
        {
            float half = (float)(Half)value;
            if (!IsOutlier(half, threshold) && Math.Abs(half) > absmax) absmax = Math.Abs(half);
        }

        return absmax;
    }

    private static bool IsOutlier(float half, float threshold) => Math.Abs(half) >= threshold;

    private static int Code(float value, float absmax)
    {
        float scaled = (float)(Half)value * (1f / absmax * 127f);
        return float.IsNaN(scaled) ? 0 : (int)MathF.Round(scaled, MidpointRounding.ToEven);
    }

    private static float Round(ElementType type, float value) => type switch
    {
        ElementType.F16 => (float)(Half)value,
        ElementType.BF16 => BF16Element.FromBits(BF16Element.ToBits(value)),
        _ => value,
    };
}
