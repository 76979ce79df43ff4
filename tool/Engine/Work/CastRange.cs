using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Formats.Primitives;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Work;

/// <summary>
/// Finite values that a cast to float16 makes infinite. Models that were trained in float32 or bfloat16 have some, and one of them in a
/// norm is enough to make every answer NaN, so the run stops and says how many there are and where.
/// </summary>
internal static class CastRange
{
    private const int Piece = 1 << 16;

    /// <summary>Reads a tensor that is cast once more.</summary>
    /// <returns>The error for its finite values beyond float16's range; null when there are none, or it is no tensor that is cast to that.</returns>
    public static UserErrorException? Overflow(TensorPlan plan, TensorSource source)
    {
        if (plan.Input is not MergedInput { To: DType.F16, Update: null, Base.Input: null } || FloatTypes.Of(plan.Source.DType) is null && plan.Source.DType != DType.F64) return null;
        int size = plan.Source.DType.BitSize() / 8;
        byte[] stored = new byte[Piece * size];
        float[] values = new float[Piece];
        long all = plan.Source.Shape.ElementCount, beyond = 0, first = -1;
        float largest = 0;
        for (long start = 0; start < all; start += Piece)
        {
            int count = (int)Math.Min(Piece, all - start);
            source.ReadBytes(plan.Source, start * size, stored.AsSpan(0, count * size));
            ToSingle(plan.Source.DType, stored.AsSpan(0, count * size), values.AsSpan(0, count));
            for (int i = 0; i < count; i++)
            {
                if (!float.IsFinite(values[i]) || !Half.IsInfinity((Half)values[i])) continue;
                if (beyond++ == 0) first = start + i;
                if (MathF.Abs(values[i]) > MathF.Abs(largest)) largest = values[i];
            }
        }

        return beyond == 0 ? null : Error(plan, beyond, first, largest);
    }

    private static UserErrorException Error(TensorPlan plan, long beyond, long first, float largest)
    {
        TensorShape shape = plan.Source.Shape;
        long width = shape.Rank == 0 ? 1 : shape[shape.Rank - 1];
        string place = shape.Rank < 2 ? $"flat index {first}" : $"row {first / width}, column {first % width} (flat index {first})";
        return new UserErrorException(ExitCode.DataCheckFailed, "DATA-F16-RANGE", $"{plan.Name} holds values that float16 cannot, which --dtype asks for")
        {
            File = plan.Source.File.Path,
            Tensor = plan.Name,
            Facts = [("values above 65504", beyond.ToString("N0")), ("largest", largest.ToString("R")), ("first at", place)],
            Action = "use --dtype bfloat16, which has the range of float32, or --non-finite keep to make them infinite as torch does",
        };
    }

    private static void ToSingle(DType type, Span<byte> stored, Span<float> values)
    {
        if (type == DType.F64)
        {
            Span<byte> narrowed = stored[..(stored.Length / 2)];
            Narrow.F64ToF32(stored, narrowed);
            stored = narrowed;
        }

        Widen.ToSingle(FloatTypes.Of(type) ?? ElementType.F32, stored, values);
    }
}
