using System.Text.Json;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.DataTypes;

/// <summary>Group-wise INT4 as compressed-tensors stores it in its "pack-quantized" format.</summary>
/// <param name="GroupSize">Neighbouring values of a row that share a scale: 32, 64 or 128.</param>
/// <param name="Symmetric">False: each group has a zero point too.</param>
internal sealed record Int4Recipe(int GroupSize, bool Symmetric) : QuantizeRecipe
{
    public const int DefaultGroupSize = 128;

    public override string Type => "int4";

    public override PolicyTarget Target => PolicyTarget.CompressedTensors;

    public override int Blocksize => GroupSize;

    /// <summary>What searched scales are stored as; null for the weights' own dtype.</summary>
    public ElementType? ScaleType { get; init; }

    /// <summary>Group sizes that loaders' kernels take.</summary>
    public static IReadOnlyList<int> GroupSizes { get; } = [32, 64, 128];

    /// <summary>The same but for the size of the groups.</summary>
    public Int4Recipe WithGroupSize(int groupSize) => new(groupSize, Symmetric) { Scale = Scale, ScaleType = ScaleType };

    public override void WriteOptions(Utf8JsonWriter json)
    {
        json.WriteNumber("group_size", GroupSize);
        json.WriteBoolean("symmetric", Symmetric);
        if (ScaleType is { } type) json.WriteString("scale_dtype", FloatTypes.Name(type));
    }

    public override IEnumerable<string> CompanionNames(string weightName) =>
    [
        Key(weightName, CompressedTensorsKeys.Packed),
        Key(weightName, CompressedTensorsKeys.Scale),
        Key(weightName, CompressedTensorsKeys.ZeroPoint),
        Key(weightName, CompressedTensorsKeys.Shape),
    ];

    /// <summary>The name of a part, which takes the place of <c>weight</c>.</summary>
    public static string Key(string weightName, string part) => CompressedTensorsKeys.PrefixOf(weightName, CompressedTensorsKeys.Weight) is { } prefix
        ? prefix + part
        : throw new ArgumentException($"{weightName} is not the weight of a module", nameof(weightName));

    public override Quantization For(DType sourceType, long rows, long columns, bool transpose) => transpose
        ? throw new ArgumentException("compressed-tensors has no Conv1D", nameof(transpose))
        : new Int4Quantization(sourceType, rows, columns, this);

    public override byte[] WriteConfig(ModelConfig source, ConfigContent content) =>
        source.InsertQuantizationConfig(new CompressedTensorsConfig(GroupSize, Symmetric, content.SkipModules) { Others = content.Groups });
}

/// <summary>A weight on its way to INT4.</summary>
internal sealed record Int4Quantization(DType SourceType, long Rows, long Columns, Int4Recipe Recipe)
    : Quantization(SourceType, Rows, Columns, Transpose: false)
{
    /// <summary>Codes, and rows of zero points, in one int32.</summary>
    public const int PerWord = 8;

    /// <summary>Groups of one row.</summary>
    public long Groups => Columns / Recipe.GroupSize;

    /// <summary>What scales are stored as.</summary>
    public ElementType ScaleType => Recipe.ScaleType ?? ElementType;

    public int ScaleSize => ScaleType.Size();

    public override BufferShape Buffers => new(4, Recipe.GroupSize, Recipe.GroupSize);

    public override IEnumerable<PlannedTensor> Outputs(string weightName)
    {
        yield return new PlannedTensor(
            Int4Recipe.Key(weightName, CompressedTensorsKeys.Packed), DType.I32, TensorShape.Of(Rows, Columns / PerWord), OutputRole.Codes, ValueCount / 2);
        yield return new PlannedTensor(
            Int4Recipe.Key(weightName, CompressedTensorsKeys.Scale), FloatTypes.Stored(ScaleType), TensorShape.Of(Rows, Groups), OutputRole.Scale, Rows * Groups * ScaleSize);
        if (!Recipe.Symmetric)
        {
            long words = (Rows + PerWord - 1) / PerWord;
            yield return new PlannedTensor(
                Int4Recipe.Key(weightName, CompressedTensorsKeys.ZeroPoint), DType.I32, TensorShape.Of(words, Groups), OutputRole.ZeroPoint, words * Groups * sizeof(int));
        }

        yield return new PlannedTensor(Int4Recipe.Key(weightName, CompressedTensorsKeys.Shape), DType.I64, TensorShape.Of(2), OutputRole.WeightShape, 2 * sizeof(long));
    }
}
