using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Verifying;

/// <summary>Unquantized tensors against the source's: same bytes, or say so.</summary>
internal static class PlainComparison
{
    private const int Piece = 1 << 18;

    /// <returns>Null when equal.</returns>
    public static Finding? Compare(CheckpointTensor quantized, CheckpointTensor source)
    {
        string name = DisplayText.Escape(quantized.Name);
        if (!quantized.Shape.Equals(source.Shape))
            return new Finding("structure", $"{name} is {quantized.Shape}, {source.Shape} in the source", Fails: true);
        if (quantized.DType != source.DType)
            return new Finding("plain-cast", $"{name} is {quantized.DType.Name()}, {source.DType.Name()} in the source; values were not compared", Fails: false);

        using WeightReader left = WeightReader.Open(quantized.File), right = WeightReader.Open(source.File);
        byte[] a = new byte[Piece], b = new byte[Piece];
        for (long offset = 0; offset < quantized.ByteCount; offset += Piece)
        {
            int length = (int)Math.Min(Piece, quantized.ByteCount - offset);
            left.Read(quantized, offset, a.AsSpan(0, length));
            right.Read(source, offset, b.AsSpan(0, length));
            if (!a.AsSpan(0, length).SequenceEqual(b.AsSpan(0, length)))
                return new Finding("plain-diff", $"{name} was not quantized, but its bytes differ from the source's", Fails: true);
        }

        return null;
    }
}
