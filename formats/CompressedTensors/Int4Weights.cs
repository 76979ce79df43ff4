using System.Buffers.Binary;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.CompressedTensors;

/// <summary>Recognizes weights in compressed-tensors' layout "pack-quantized" with 4 bits, and their stray parts.</summary>
internal static class Int4Weights
{
    private static readonly string[] PartNames =
    [
        CompressedTensorsKeys.Packed,
        CompressedTensorsKeys.Scale,
        CompressedTensorsKeys.ZeroPoint,
        CompressedTensorsKeys.Shape,
        CompressedTensorsKeys.GroupIndex,
    ];

    public static void Recognize(WeightSearch search)
    {
        IReadOnlyList<CheckpointTensor> remaining = search.Remaining;
        Dictionary<string, byte[]> shapes = WeightSearch.ReadAll(remaining.Where(
            tensor => CompressedTensorsKeys.PrefixOf(tensor.Name, CompressedTensorsKeys.Shape) is not null && IsShape(tensor)));
        QuantizationSettings? settings = search.Config?.Quantization;
        List<CheckpointTensor> packed = [.. remaining.Where(tensor => PackedPrefix(tensor) is not null)];
        List<string> refusals = packed.Count > 0 ? [.. PackedSettings.Refusals(settings)] : [];
        foreach (string text in refusals) search.Fatal("CT0107", "config.json", text);

        List<Int4Weight> weights = [];
        foreach (CheckpointTensor tensor in packed)
        {
            string prefix = PackedPrefix(tensor)!;
            if (new Int4WeightParts(prefix, tensor, shapes, search).Assemble() is { } weight) weights.Add(weight);
            search.Take(PartNames.Select(part => prefix + part));
        }

        if (refusals.Count == 0)
        {
            foreach (Int4Weight weight in weights) search.Add(weight);
            foreach ((Int4Weight weight, string text) in PackedSettings.Disagreements(settings, weights))
                search.Remark("CT0108", weight.Stored.Name, text);
        }

        ReportStrays(search, remaining);
    }

    /// <summary>The module's prefix for a tensor of packed codes; NVFP4 and MXFP4 use the same name for bytes and are none of
    /// ours.</summary>
    private static string? PackedPrefix(CheckpointTensor tensor) =>
        tensor.DType == DType.U8 ? null : CompressedTensorsKeys.PrefixOf(tensor.Name, CompressedTensorsKeys.Packed);

    private static bool IsShape(CheckpointTensor tensor) => tensor is { DType: DType.I64 or DType.I32, Shape: { Rank: 1, ElementCount: 2 } };

    /// <summary>Parts of this layout alone; a scale beside a stored weight belongs to another format.</summary>
    private static void ReportStrays(WeightSearch search, IReadOnlyList<CheckpointTensor> remaining)
    {
        foreach (CheckpointTensor tensor in remaining.Where(tensor => !search.IsTaken(tensor.Name)))
        {
            foreach (string part in PartNames.Skip(1))
            {
                if (CompressedTensorsKeys.PrefixOf(tensor.Name, part) is not { } prefix) continue;
                if (search.ByName.ContainsKey(prefix + CompressedTensorsKeys.Weight)
                    || search.ByName.ContainsKey(prefix + CompressedTensorsKeys.Packed)) continue;
                search.Fatal("CT0101", tensor.Name, $"there is no {CompressedTensorsKeys.Packed} beside it");
                search.Take(tensor.Name);
            }
        }
    }

    /// <summary>Rows and columns from the bytes of a weight_shape.</summary>
    internal static (long Rows, long Columns) ReadShape(CheckpointTensor tensor, ReadOnlySpan<byte> bytes) =>
        tensor.DType == DType.I64
            ? (BinaryPrimitives.ReadInt64LittleEndian(bytes), BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]))
            : (BinaryPrimitives.ReadInt32LittleEndian(bytes), BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]));
}
