using System.Numerics;
using System.Runtime.InteropServices;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.Verifying;

/// <summary>
/// Y = X W^T for a panel of weight rows, three times: FP32 over the original weights, FP32 over what the kernel multiplies, and
/// the kernel over the packed weights, which the caller has run. The first tells what quantization costs, the second what the
/// kernel adds.
/// </summary>
internal static class PanelProducts
{
    /// <summary>Weights rounded to the compute type and accumulated in float32: the 4-bit kernels.</summary>
    /// <param name="source">[rows, columns] original weights.</param>
    /// <param name="decoded">[rows, columns] decoded weights; overwritten.</param>
    /// <param name="buffers">Its <see cref="VerifyBuffers.Packed"/> holds the kernel's sums.</param>
    /// <param name="checkedRow">The row that the yardstick multiplies too.</param>
    /// <param name="kernelBound">Of |kernel - exact|, for products per sum and the sum of their magnitudes.</param>
    public static void Measure(
        PanelResult result, ActivationMatrix x, int rows, int columns, ReadOnlySpan<float> source, Span<float> decoded, int checkedRow,
        Func<int, double, double> kernelBound, VerifyBuffers buffers, LayerContext context)
    {
        RoundTo(context.ComputeType, decoded, buffers.Source.Raw);
        result.KernelBoundUse = YardstickUse(x, rows, columns, decoded, buffers.Packed, checkedRow, kernelBound);
        // Either side is within the bound of the exact product.
        Compare(
            result, x.Tokens, rows, x.Inputs(context.Path).Values, x.Inputs(context.Path), source, decoded,
            magnitude => kernelBound(columns, magnitude) + GemmBounds.ForFp32(columns, magnitude), buffers, context);
    }

    /// <summary>
    /// LLM.int8(): the kernel multiplies quantized activations, so these are what FP32 multiplies for comparison; the cost is
    /// counted from the original ones.
    /// </summary>
    /// <inheritdoc cref="Measure(PanelResult, ActivationMatrix, int, int, ReadOnlySpan{float}, Span{float}, int, Func{int, double, double}, VerifyBuffers, LayerContext)"/>
    public static void MeasureInt8(
        PanelResult result, ActivationMatrix x, QuantizedActivations quantized, int rows, int columns, ReadOnlySpan<float> source,
        Span<float> decoded, VerifyBuffers buffers, LayerContext context)
    {
        // Weights beside outliers are rounded to the compute type, the others enter as exact integers.
        ReadOnlySpan<int> outliers = quantized.Codes.OutlierColumns;
        Span<float> gathered = new float[outliers.Length];
        for (int row = 0; row < rows; row++)
        {
            Span<float> weights = decoded.Slice(row * columns, columns);
            for (int i = 0; i < outliers.Length; i++) gathered[i] = weights[outliers[i]];
            RoundTo(context.ComputeType, gathered, buffers.Source.Raw);
            for (int i = 0; i < outliers.Length; i++) weights[outliers[i]] = gathered[i];
        }

        int outlierCount = outliers.Length;
        Compare(
            result, x.Tokens, rows, x.Inputs(context.Path).Values, quantized.Inputs(context.Path), source, decoded,
            magnitude => BoundOfInt8(outlierCount, columns, magnitude), buffers, context);
    }

    /// <summary>The bound of the kernel against its own yardstick, that of the FP32 product, and the six roundings of codes
    /// times scales on either side that made the factors of the latter.</summary>
    private static double BoundOfInt8(int outliers, int columns, double magnitude) =>
        Int8GemmBounds.For(outliers, magnitude, magnitude) + GemmBounds.ForFp32(columns, magnitude)
        + (6.001 * GemmBounds.UnitRoundoff(ElementType.F32) * magnitude);

    private static void Compare(
        PanelResult result, int tokens, int rows, SgemmInput x, ProductInputs multiplied,
        ReadOnlySpan<float> source, Span<float> decoded, Func<double, double> bound, VerifyBuffers buffers, LayerContext context)
    {
        int products = tokens * rows;
        Span<float> original = buffers.Original.AsSpan(0, products), dense = buffers.Dense.AsSpan(0, products);
        Span<float> kernel = buffers.Packed.AsSpan(0, products), magnitudes = buffers.Magnitudes.AsSpan(0, products);
        Span<float> rounded = buffers.Rounded.AsSpan(0, products);
        Sgemm.Run(x, rows, source, original, threads: 1);
        Sgemm.Run(multiplied.Values, rows, decoded, dense, threads: 1);
        Absolute(decoded);
        Sgemm.Run(multiplied.Magnitudes, rows, decoded, magnitudes, threads: 1);

        double use = result.KernelBoundUse;
        for (int i = 0; i < products; i++)
        {
            // What the weights make infinite or NaN is not the kernel's fault.
            if (!float.IsFinite(kernel[i]) && !float.IsFinite(dense[i])) continue;
            double error = Math.Abs((double)kernel[i] - dense[i]);
            // The sum of magnitudes is itself a float32 product.
            if (error > 0 || double.IsNaN(error))
                use = Math.Max(use, double.IsNaN(error) ? double.PositiveInfinity : error / bound(magnitudes[i] * 1.0001));
        }

        result.KernelBoundUse = use;
        kernel.CopyTo(rounded);
        RoundTo(context.ComputeType, rounded, buffers.Source.Raw);
        result.Total.Add(original, rounded);
        result.Kernel.Add(dense, rounded);
    }

    private static void Absolute(Span<float> values)
    {
        Span<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        for (int i = 0; i < vectors.Length; i++) vectors[i] = Vector.Abs(vectors[i]);
        for (int i = vectors.Length * Vector<float>.Count; i < values.Length; i++) values[i] = Math.Abs(values[i]);
    }

    /// <summary>
    /// The fast FP32 product and the mixed kernel are one code base and could be wrong alike: one weight row of every panel is
    /// multiplied by the yardstick too, in double and in plain order, with its own sum of magnitudes.
    /// </summary>
    private static double YardstickUse(
        ActivationMatrix x, int rows, int columns, ReadOnlySpan<float> decoded, ReadOnlySpan<float> mixed, int row,
        Func<int, double, double> bound)
    {
        double[] exact = new double[x.Tokens], magnitudes = new double[x.Tokens];
        ReferenceGemm.Run(x.Tokens, 1, columns, x.Values, decoded.Slice(row * columns, columns), exact, magnitudes);
        return LargestUse(mixed, rows, row, exact, token => bound(columns, magnitudes[token]));
    }

    /// <summary>The largest error over its bound in one weight row's products with all tokens.</summary>
    /// <param name="products">[tokens, rows].</param>
    /// <param name="exact">Of the row, by token.</param>
    /// <param name="bound">By token.</param>
    public static double LargestUse(ReadOnlySpan<float> products, int rows, int row, ReadOnlySpan<double> exact, Func<int, double> bound)
    {
        double use = 0;
        for (int token = 0; token < exact.Length; token++)
        {
            double error = Math.Abs((double)products[(token * rows) + row] - exact[token]);
            if (error > 0) use = Math.Max(use, error / bound(token));
            else if (double.IsNaN(error) && double.IsFinite(exact[token])) use = double.PositiveInfinity;
        }

        return use;
    }

    /// <summary>Rounds to the compute dtype and back, in pieces as large as the scratch buffer.</summary>
    public static void RoundTo(ElementType type, Span<float> values, Span<byte> scratch)
    {
        int step = scratch.Length / type.Size();
        for (int start = 0; start < values.Length; start += step)
        {
            Span<float> piece = values.Slice(start, Math.Min(step, values.Length - start));
            Span<byte> stored = scratch[..(piece.Length * type.Size())];
            Narrow.FromSingle(type, piece, stored);
            Widen.ToSingle(type, stored, piece);
        }
    }
}
