using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Formats.Primitives;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.Work;

/// <summary>
/// Builds the error for a weight with NaN or Inf: bitsandbytes turns one NaN into -absmax and one Inf into a block of
/// NaN without a word, so the run stops and says how many there are and where the first one is.
/// </summary>
internal static class NonFiniteScan
{
    /// <summary>Values of an input that are looked at together; buffers hold as many in every run.</summary>
    private const int InputStep = 1 << 16;

    /// <summary>An infinity makes the mean of absmax infinite, which double quantization cannot store.</summary>
    public static UserErrorException OffsetError(TensorPlan plan) => new(
        ExitCode.DataCheckFailed, "DATA-NONFINITE", $"{plan.Name} holds an infinity, which double quantization cannot keep")
    {
        File = plan.Source.File.Path,
        Tensor = plan.Name,
        Action = "use --double-quant false with --non-finite keep, or --exclude the tensor",
    };

    /// <summary>A group whose range its own dtype cannot hold.</summary>
    /// <param name="row">The first row of the piece that has it.</param>
    public static UserErrorException ScaleError(TensorPlan plan, long row) => new(
        ExitCode.DataCheckFailed, "DATA-RANGE", $"{plan.Name} has a group whose scale overflows {plan.Quantization!.TorchDType}")
    {
        File = plan.Source.File.Path,
        Tensor = plan.Name,
        Facts = [("at or after", $"row {row}")],
        Action = "use --symmetric true, or --exclude the tensor",
    };

    /// <param name="target">The type that values are rounded to first; float16 has a range to leave.</param>
    public static UserErrorException Error(TensorPlan plan, TensorSource source, WorkerBuffers buffers, ElementType target)
    {
        if (CastRange.Overflow(plan, source) is { } overflow) return overflow;
        Quantization quantization = plan.Quantization!;
        long nan = 0, positive = 0, negative = 0, first = -1, beyond = 0, firstBeyond = -1;
        float largest = 0;
        int size = quantization.SourceType.BitSize() / 8;
        int step = plan.Input is null ? buffers.Raw.Length / size : InputStep;
        for (long start = 0; start < quantization.ValueCount; start += step)
        {
            // Stored order, so that index and row are those the user finds in the file.
            int length = (int)Math.Min(step, quantization.ValueCount - start);
            Span<byte> raw = buffers.Raw.AsSpan(0, length * size);
            if (plan.Input is null) source.ReadBytes(plan.Source, start * size, raw);
            else source.ReadValues(plan, start, length, buffers, preloaded: null).CopyTo(raw);
            if (plan.Input is null && quantization.SourceType == DType.F64)
            {
                Span<byte> narrowed = raw[..(raw.Length / 2)];
                Narrow.F64ToF32(raw, narrowed);
                raw = narrowed;
            }

            NonFiniteCount count = NonFinite.Count(quantization.ElementType, raw);
            (nan, positive, negative) = (nan + count.NaN, positive + count.PositiveInfinity, negative + count.NegativeInfinity);
            if (first < 0 && count.FirstIndex >= 0) first = start + count.FirstIndex;
            if (target != ElementType.F16 || quantization.ElementType == ElementType.F16) continue;
            foreach ((int index, float value) in BeyondFloat16(quantization.ElementType, raw))
            {
                if (beyond++ == 0) firstBeyond = start + index;
                if (MathF.Abs(value) > MathF.Abs(largest)) largest = value;
            }
        }

        long width = quantization.Transpose && plan.Input is null ? quantization.Rows : quantization.Columns;
        string At(long index) => $"row {index / width}, column {index % width} (flat index {index})";
        if (nan + positive + negative == 0 && beyond > 0)
        {
            return new UserErrorException(
                ExitCode.DataCheckFailed, "DATA-F16-RANGE", $"{plan.Name} holds values that float16 cannot, and LLM.int8() rounds to float16 first")
            {
                File = plan.Source.File.Path,
                Tensor = plan.Name,
                Facts =
                [
                    ("values above 65504", beyond.ToString("N0")),
                    ("largest", largest.ToString("R")),
                    ("first at", At(firstBeyond)),
                ],
                Action = "--exclude the tensor, or quantize to nf4 or int4, which keep the range of the source",
            };
        }

        return new UserErrorException(ExitCode.DataCheckFailed, "DATA-NONFINITE", $"{plan.Name} holds values that are not finite")
        {
            File = plan.Source.File.Path,
            Tensor = plan.Name,
            Facts =
            [
                ("NaN", nan.ToString("N0")),
                ("+Inf", positive.ToString("N0")),
                ("-Inf", negative.ToString("N0")),
                ("first at", At(first)),
            ],
            Action = "repair the weights, --exclude the tensor, or use --non-finite keep to do as bitsandbytes does",
        };
    }

    private static List<(int Index, float Value)> BeyondFloat16(ElementType type, ReadOnlySpan<byte> stored)
    {
        const int Piece = 4096;
        var found = new List<(int Index, float Value)>();
        Span<float> values = stackalloc float[Piece];
        int size = type.Size(), count = stored.Length / size;
        for (int start = 0; start < count; start += Piece)
        {
            Span<float> piece = values[..Math.Min(Piece, count - start)];
            Widen.ToSingle(type, stored.Slice(start * size, piece.Length * size), piece);
            for (int i = 0; i < piece.Length; i++)
            {
                if (float.IsFinite(piece[i]) && Half.IsInfinity((Half)piece[i])) found.Add((start + i, piece[i]));
            }
        }

        return found;
    }
}
