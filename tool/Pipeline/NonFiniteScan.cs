using Bnb.Formats;
using Bnb.Quant;
using Bnb.Tool.Errors;

namespace Bnb.Tool.Pipeline;

/// <summary>
/// Builds the error for a weight with NaN or Inf: bitsandbytes turns one NaN into -absmax and one Inf into a block of
/// NaN without a word, so the run stops and says how many there are and where the first one is.
/// </summary>
internal static class NonFiniteScan
{
    /// <summary>An infinity makes the mean of absmax infinite, which double quantization cannot store.</summary>
    public static UserErrorException OffsetError(TensorPlan plan) => new(
        ExitCode.DataCheckFailed, "DATA-NONFINITE", $"{plan.Source.Name} holds an infinity, which double quantization cannot keep")
    {
        File = plan.Source.File.Path,
        Tensor = plan.Source.Name,
        Action = "use --double-quant false with --non-finite keep, or --exclude the tensor",
    };

    public static UserErrorException Error(TensorPlan plan, TensorSource source, WorkerBuffers buffers)
    {
        Quantization quantization = plan.Quantization!;
        long nan = 0, positive = 0, negative = 0, first = -1;
        int size = quantization.SourceType.BitSize() / 8;
        int step = buffers.Raw.Length / size;
        for (long start = 0; start < quantization.ValueCount; start += step)
        {
            // Stored order, so that index and row are those the user finds in the file.
            Span<byte> raw = buffers.Raw.AsSpan(0, (int)Math.Min(step, quantization.ValueCount - start) * size);
            source.ReadBytes(plan.Source, start * size, raw);
            if (quantization.SourceType == DType.F64)
            {
                Span<byte> narrowed = raw[..(raw.Length / 2)];
                Narrow.F64ToF32(raw, narrowed);
                raw = narrowed;
            }

            NonFiniteCount count = NonFinite.Count(quantization.ElementType, raw);
            (nan, positive, negative) = (nan + count.NaN, positive + count.PositiveInfinity, negative + count.NegativeInfinity);
            if (first < 0 && count.FirstIndex >= 0) first = start + count.FirstIndex;
        }

        long width = quantization.Transpose ? quantization.Rows : quantization.Columns;
        return new UserErrorException(ExitCode.DataCheckFailed, "DATA-NONFINITE", $"{plan.Source.Name} holds values that are not finite")
        {
            File = plan.Source.File.Path,
            Tensor = plan.Source.Name,
            Facts =
            [
                ("NaN", nan.ToString("N0")),
                ("+Inf", positive.ToString("N0")),
                ("-Inf", negative.ToString("N0")),
                ("first at", $"row {first / width}, column {first % width} (flat index {first})"),
            ],
            Action = "repair the weights, --exclude the tensor, or use --non-finite keep to do as bitsandbytes does",
        };
    }
}
