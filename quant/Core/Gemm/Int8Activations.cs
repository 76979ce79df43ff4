using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Gemm;

/// <summary>
/// Activations as LLM.int8() multiplies them: int8 codes with one scale per row, and apart from them the columns that hold an
/// outlier, in their own precision. Prepared once, multiplied by as many weights as need be.
/// </summary>
/// <remarks>Source: bitsandbytes 0.50, <c>autograd/_functions.py MatMul8bitLt.forward</c>, <c>backends/cuda/ops.py
/// int8_vectorwise_quant</c>, <c>csrc/kernels.cu kInt8VectorQuant</c>. The scale 127 / absmax is torch's, a reciprocal and a
/// multiplication, as in the CPU backend; the kernel's is an estimate (__fdividef), which may move a code next to a tie.</remarks>
public sealed unsafe partial class Int8Activations
{
    private readonly sbyte[] _codes;
    private readonly float[] _scales;
    private readonly int[] _outlierColumns;
    private readonly float[] _outlierValues;

    private Int8Activations(int m, int k, ElementType type, sbyte[] codes, float[] scales, int[] columns, float[] values)
    {
        (M, K, Type) = (m, k, type);
        (_codes, _scales, _outlierColumns, _outlierValues) = (codes, scales, columns, values);
    }

    /// <summary>Rows.</summary>
    public int M { get; }

    /// <summary>Columns.</summary>
    public int K { get; }

    /// <summary>What the activations were given in: the compute type.</summary>
    public ElementType Type { get; }

    /// <summary>Codes [m, k], from -127 to 127; 0 in the outlier columns.</summary>
    public ReadOnlySpan<sbyte> Codes => _codes;

    /// <summary>Absmax per row, [m] (SCA): a float16 value, not negative. A value is code * scale / 127.</summary>
    public ReadOnlySpan<float> Scales => _scales;

    /// <summary>The columns with at least one outlier, ascending.</summary>
    public ReadOnlySpan<int> OutlierColumns => _outlierColumns;

    /// <summary>All values of those columns, [m, number of columns], as they were given (not rounded to float16).</summary>
    public ReadOnlySpan<float> OutlierValues => _outlierValues;

    /// <summary>
    /// Quantizes rows: values are rounded to float16, x, whatever their type. An outlier is |x| >= threshold, the threshold
    /// rounded to float16, too. absmax = max |x| over the row's values that are none; code = round_half_even(x * ((1 /
    /// absmax) * 127)), each operation rounded to float32. Exact: the codes and scales are these on every machine and for any number
    /// of threads.
    /// </summary>
    /// <remarks>NaN does not count for absmax, is no outlier and has code 0. A value that float16 cannot hold is infinite: an
    /// outlier, or without threshold it makes absmax infinite and all codes of its row 0. A row without values or of zeros
    /// has absmax 0 and codes 0.</remarks>
    /// <param name="m">Rows; 0 is allowed, here and below.</param>
    /// <param name="k">Columns.</param>
    /// <param name="type">What x holds.</param>
    /// <param name="x">[m, k] values of that type, row-major, little-endian, any alignment.</param>
    /// <param name="threshold">From what magnitude on a value is an outlier, usually 6; with 0 none is.</param>
    /// <param name="threads">How many threads work at most, at least 1.</param>
    /// <exception cref="ArgumentException">x has not the length that the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension or the threshold is negative, the threshold is NaN, the type
    /// is not supported or there is no thread.</exception>
    public static Int8Activations Prepare(
        int m, int k, ElementType type, ReadOnlySpan<byte> x, float threshold, int threads = 1)
    {
        GemmShape.CheckDimensions(m, k, k);
        BlockGrid.CheckLength(nameof(x), (long)m * k * type.Size(), x.Length);
        if (!(threshold >= 0)) throw new ArgumentOutOfRangeException(nameof(threshold), threshold, "must not be negative");
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);

        sbyte[] codes = GC.AllocateUninitializedArray<sbyte>(m * k);
        var scales = new float[m];
        var flags = new bool[k];
        fixed (byte* source = x)
        fixed (sbyte* target = codes)
        fixed (float* absmax = scales)
        fixed (bool* isOutlier = flags)
        {
            var rows = new RowQuantizer(k, type, source, InlierLimit(threshold), target, absmax, isOutlier);
            WorkSplit.Run(threads, m, rows.Run);
        }

        int[] columns = Columns(flags);
        var values = new float[m * columns.Length];
        SetApart(m, k, type, x, columns, codes, values);
        return new Int8Activations(m, k, type, codes, scales, columns, values);
    }

    /// <summary>The largest magnitude that is no outlier.</summary>
    private static float InlierLimit(float threshold) =>
        threshold == 0 ? float.PositiveInfinity : MathF.BitDecrement((float)(Half)threshold);

    private static int[] Columns(ReadOnlySpan<bool> flags)
    {
        var columns = new int[flags.Count(true)];
        for (int o = 0, next = 0; o < columns.Length; o++, next++)
        {
            next += flags[next..].IndexOf(true);
            columns[o] = next;
        }

        return columns;
    }

    private static void SetApart(
        int m, int k, ElementType type, ReadOnlySpan<byte> x, int[] columns, sbyte[] codes, float[] values)
    {
        int size = type.Size();
        for (int i = 0; i < m; i++)
        {
            for (int o = 0; o < columns.Length; o++)
            {
                int at = i * k + columns[o];
                codes[at] = 0;
                Widen.ToSingle(type, x.Slice(at * size, size), values.AsSpan(i * columns.Length + o, 1));
            }
        }
    }
}
