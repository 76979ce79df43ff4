using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.CompressedTensors;

/// <summary>Finds and checks the tensors of one INT4 weight. Every length is compared before anything trusts it.</summary>
internal sealed class Int4WeightParts(string prefix, CheckpointTensor packed, Dictionary<string, byte[]> shapes, WeightSearch search)
{
    private const int CodesPerWord = 8;

    private bool _broken;

    /// <summary>The weight, or null when a fatal problem was added.</summary>
    public Int4Weight? Assemble()
    {
        CheckpointTensor? scale = Part(CompressedTensorsKeys.Scale), shape = Part(CompressedTensorsKeys.Shape);
        CheckpointTensor? zeroPoint = search.Find(prefix + CompressedTensorsKeys.ZeroPoint);
        if (search.ByName.ContainsKey(prefix + CompressedTensorsKeys.Weight))
            Fatal("CT0102", prefix + CompressedTensorsKeys.Weight, "is stored beside a weight_packed of the same module");
        if (search.ByName.ContainsKey(prefix + CompressedTensorsKeys.GroupIndex))
            Fatal("CT0106", prefix + CompressedTensorsKeys.GroupIndex, "columns ordered by their activations (actorder group) are not read");
        if (packed.DType != DType.I32 || packed.Shape.Rank != 2)
            Fatal("CT0103", packed.Name, $"is {packed.DType.Name()} {packed.Shape}, expected I32 [rows, columns / 8]");
        else if (scale is not null && shape is not null && Columns(shape) is { } columns) CheckGroups(scale, zeroPoint, columns);
        return _broken ? null : new Int4Weight(prefix + CompressedTensorsKeys.Weight, packed, scale!, zeroPoint, shape!, Columns(shape!)!.Value);
    }

    /// <summary>The columns that a shape gives, once it agrees with the packed codes.</summary>
    private long? Columns(CheckpointTensor shape)
    {
        if (!shapes.TryGetValue(shape.Name, out byte[]? bytes))
        {
            Fatal("CT0103", shape.Name, $"is {shape.DType.Name()} {shape.Shape}, expected I64 [2]");
            return null;
        }

        (long rows, long columns) = Int4Weights.ReadShape(shape, bytes);
        if (rows == packed.Shape[0] && columns >= 0 && Words(columns, CodesPerWord) == packed.Shape[1]) return columns;
        string reason = rows == packed.Shape[0] && columns >= 0 && Words(columns, 4) == packed.Shape[1]
            ? "those are 8-bit codes, only 4-bit ones are read"
            : $"expected weight_packed [{rows}, {columns} / 8 rounded up]";
        Fatal("CT0104", shape.Name, $"says [{rows}, {columns}], weight_packed is {packed.Shape}: {reason}");
        return null;
    }

    private void CheckGroups(CheckpointTensor scale, CheckpointTensor? zeroPoint, long columns)
    {
        if (scale.DType is not (DType.F16 or DType.BF16 or DType.F32) || scale.Shape.Rank != 2 || scale.Shape[0] != packed.Shape[0])
        {
            Fatal("CT0103", scale.Name, $"is {scale.DType.Name()} {scale.Shape}, expected F16, BF16 or F32 [{packed.Shape[0]}, groups]");
            return;
        }

        long groups = scale.Shape[1];
        if (groups == 0 || columns % groups != 0)
            Fatal("CT0105", scale.Name, $"has {groups} groups for {columns} columns, which they do not divide");
        else if (columns / groups is var size && (size == 0 || size % CodesPerWord != 0))
            Fatal("CT0105", scale.Name, $"has groups of {size} values, expected a multiple of 8");
        if (zeroPoint is null) return;

        long words = Words(packed.Shape[0], CodesPerWord);
        if (zeroPoint.DType != DType.I32 || zeroPoint.Shape.Rank != 2 || zeroPoint.Shape[0] != words || zeroPoint.Shape[1] != groups)
            Fatal("CT0103", zeroPoint.Name, $"is {zeroPoint.DType.Name()} {zeroPoint.Shape}, expected I32 [{words}, {groups}]");
    }

    private CheckpointTensor? Part(string part)
    {
        if (search.Find(prefix + part) is { } tensor) return tensor;
        Fatal("CT0101", prefix + part, "is missing beside weight_packed");
        return null;
    }

    private void Fatal(string rule, string tensor, string text)
    {
        _broken = true;
        search.Fatal(rule, tensor, text);
    }

    private static long Words(long count, int each) => (count / each) + (count % each == 0 ? 0 : 1);
}
