using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Verifying;

/// <summary>Unquantized tensors against the source's: same bytes, or say so.</summary>
internal static class PlainComparison
{
    private const int Piece = 1 << 18;
    private const int PieceValues = 1 << 16;

    /// <param name="engine">Decodes what the source has in another quantized form.</param>
    /// <returns>Null when equal.</returns>
    public static Finding? Compare(CheckpointTensor quantized, TensorPlan source, ComputeEngine engine)
    {
        string name = DisplayText.Escape(quantized.Name);
        if (!quantized.Shape.Equals(source.Shape))
            return new Finding("structure", $"{name} is {quantized.Shape}, {source.Shape} in the source", Fails: true);
        if (quantized.DType != source.DType)
            return new Finding("plain-cast", $"{name} is {quantized.DType.Name()}, {source.DType.Name()} in the source; values were not compared", Fails: false);

        bool isSame = source.Input is { } input ? HasValues(quantized, source, input, engine) : HasBytes(quantized, source.Source);
        return isSame ? null : new Finding("plain-diff", $"{name} was not quantized, but its bytes differ from the source's", Fails: true);
    }

    private static bool HasBytes(CheckpointTensor quantized, CheckpointTensor source)
    {
        using WeightReader left = WeightReader.Open(quantized.File), right = WeightReader.Open(source.File);
        byte[] a = new byte[Piece], b = new byte[Piece];
        for (long offset = 0; offset < quantized.ByteCount; offset += Piece)
        {
            int length = (int)Math.Min(Piece, quantized.ByteCount - offset);
            left.Read(quantized, offset, a.AsSpan(0, length));
            right.Read(source, offset, b.AsSpan(0, length));
            if (!a.AsSpan(0, length).SequenceEqual(b.AsSpan(0, length))) return false;
        }

        return true;
    }

    /// <summary>Whether the bytes are those that decoding or casting the source gives.</summary>
    private static bool HasValues(CheckpointTensor quantized, TensorPlan source, WeightInput input, ComputeEngine engine)
    {
        int size = quantized.DType.BitSize() / 8;
        var buffers = new WorkerBuffers(PieceValues * sizeof(double), 0, 0, 0) { Input = input.Buffers is { } shape ? WorkerBuffers.ForInput(shape, PieceValues) : null };
        byte[] scratch = new byte[PieceValues * size], stored = new byte[PieceValues * size];
        // The other way round, matrix by matrix, where the dense tensor is.
        Dequantization? other = DenseTensors.Copied(source).Dequantization is { TransposedMatrices: > 0 } turned ? turned : null;
        long matrix = other is null ? input.Shape.ElementCount : other.Weight.ValueCount / other.TransposedMatrices;
        using WeightReader file = WeightReader.Open(quantized.File);
        using var files = new TensorSource([source], DataTypeCatalog.InputsOn(engine));
        for (long first = 0; first < input.Shape.ElementCount;)
        {
            long within = first % matrix, start = (first - within) * size;
            int count = (int)Math.Min(PieceValues, matrix - within);
            Span<byte> found = stored.AsSpan(0, count * size);
            if (other is null) file.Read(quantized, start + (within * size), found);
            else
            {
                Conv1D.Gather(
                    (offset, bytes) => file.Read(quantized, start + offset, bytes),
                    scratch, other.Weight.Rows / other.TransposedMatrices, other.Weight.Columns, size, within, found);
            }

            if (!files.ReaderOf(input).Read(first, count, buffers).SequenceEqual(found)) return false;
            first += count;
        }

        return true;
    }
}
