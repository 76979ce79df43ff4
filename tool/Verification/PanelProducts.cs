using Bnb.Quant;

namespace Bnb.Tool.Verification;

/// <summary>Packed weights of a panel's rows as the mixed kernel takes them.</summary>
/// <param name="phase">Values of the first block before the panel's first one.</param>
internal readonly ref struct PackedPanel(Code4 code, int blocksize, int phase, ReadOnlySpan<byte> codes, ReadOnlySpan<float> absmax)
{
    public Code4 Code { get; } = code;

    public int Blocksize { get; } = blocksize;

    public int Phase { get; } = phase;

    public ReadOnlySpan<byte> Codes { get; } = codes;

    public ReadOnlySpan<float> Absmax { get; } = absmax;
}

/// <summary>
/// Y = X W^T for a panel of weight rows, three times: FP32 over the original weights, FP32 over the decoded ones, and the
/// mixed kernel over the packed ones. The first tells what quantization costs, the second what the kernel adds.
/// </summary>
internal static class PanelProducts
{
    /// <param name="source">[rows, columns] original weights.</param>
    /// <param name="decoded">[rows, columns] decoded weights; overwritten.</param>
    public static void Measure(
        PanelResult result, ActivationMatrix x, int rows, int columns, ReadOnlySpan<float> source, Span<float> decoded, ElementType computeType,
        PackedPanel packed, VerifyBuffers buffers, KernelPath path)
    {
        int products = x.Tokens * rows;
        Span<float> original = buffers.Original.AsSpan(0, products), dense = buffers.Dense.AsSpan(0, products);
        Span<float> mixed = buffers.Packed.AsSpan(0, products), magnitudes = buffers.Magnitudes.AsSpan(0, products);
        Span<float> rounded = buffers.Rounded.AsSpan(0, products);

        Sgemm.Run(x.Tokens, rows, columns, x.Values, source, original, threads: 1, path);
        RoundTo(computeType, decoded, buffers.Source.Raw);
        Sgemm.Run(x.Tokens, rows, columns, x.Values, decoded, dense, threads: 1, path);
        MixedGemm4.Run(
            x.Tokens, rows, columns, computeType, x.Stored, packed.Code, packed.Blocksize, packed.Phase, packed.Codes, packed.Absmax, mixed,
            threads: 1, path);
        double use = YardstickUse(x, rows, columns, decoded, mixed, (int)(packed.Absmax.Length % rows));
        for (int i = 0; i < decoded.Length; i++) decoded[i] = Math.Abs(decoded[i]);
        Sgemm.Run(x.Tokens, rows, columns, x.Magnitudes, decoded, magnitudes, threads: 1, path);

        for (int i = 0; i < products; i++)
        {
            // What the weights make infinite or NaN is not the kernel's fault.
            if (!float.IsFinite(mixed[i]) && !float.IsFinite(dense[i])) continue;
            // Either side is within the bound of the exact product. The sum of magnitudes is itself a float32 product.
            double bound = 2 * GemmBounds.ForFp32(columns, magnitudes[i] * 1.0001);
            double error = Math.Abs((double)mixed[i] - dense[i]);
            if (error > 0 || double.IsNaN(error)) use = Math.Max(use, double.IsNaN(error) ? double.PositiveInfinity : error / bound);
        }

        result.KernelBoundUse = use;
        mixed.CopyTo(rounded);
        RoundTo(computeType, rounded, buffers.Source.Raw);
        result.Total.Add(original, rounded);
        result.Kernel.Add(dense, rounded);
    }

    /// <summary>
    /// The fast FP32 product and the mixed kernel are one code base and could be wrong alike: one weight row of every panel is
    /// multiplied by the yardstick too, in double and in plain order, with its own sum of magnitudes.
    /// </summary>
    private static double YardstickUse(
        ActivationMatrix x, int rows, int columns, ReadOnlySpan<float> decoded, ReadOnlySpan<float> mixed, int row)
    {
        Span<double> exact = new double[x.Tokens];
        Span<double> magnitudes = new double[x.Tokens];
        ReferenceGemm.Run(x.Tokens, 1, columns, x.Values, decoded.Slice(row * columns, columns), exact, magnitudes);
        double use = 0;
        for (int token = 0; token < x.Tokens; token++)
        {
            double error = Math.Abs((double)mixed[(token * rows) + row] - exact[token]);
            if (error > 0) use = Math.Max(use, error / GemmBounds.ForFp32(columns, magnitudes[token]));
            else if (double.IsNaN(error) && double.IsFinite(exact[token])) use = double.PositiveInfinity;
        }

        return use;
    }

    /// <summary>Rounds to the compute dtype and back, in pieces as large as the scratch buffer.</summary>
    private static void RoundTo(ElementType type, Span<float> values, Span<byte> scratch)
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
