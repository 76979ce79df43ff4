using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.Evaluating.Operators;

/// <summary>Rounds float32 values to the dtype a loader would compute in, and back.</summary>
internal static class ComputeRounding
{
    private const int Piece = 1024;

    /// <summary>Nothing for float32; else each value becomes the nearest of <paramref name="type"/>, ties to even.</summary>
    public static void Apply(ElementType type, Span<float> values)
    {
        if (type == ElementType.F32) return;
        Span<byte> stored = stackalloc byte[Piece * sizeof(ushort)];
        for (int start = 0; start < values.Length; start += Piece)
        {
            Span<float> piece = values[start..Math.Min(start + Piece, values.Length)];
            Span<byte> bytes = stored[..(piece.Length * type.Size())];
            Narrow.FromSingle(type, piece, bytes);
            Widen.ToSingle(type, bytes, piece);
        }
    }
}
