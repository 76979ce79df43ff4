using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.DataTypes;

/// <summary>FP8 (E4M3) with a scale per output channel, as compressed-tensors stores it in its "float-quantized" format; activations
/// are quantized at run time.</summary>
internal sealed record Fp8Recipe : QuantizeRecipe
{
    public override string Type => "fp8";

    public override PolicyTarget Target => PolicyTarget.CompressedTensors;

    // Rows are scaled as a whole, so no layer is unaligned.
    public override int Blocksize => 1;

    public override IEnumerable<string> CompanionNames(string weightName) => [ScaleName(weightName)];

    /// <summary>Name of the scales.</summary>
    public static string ScaleName(string weightName) => weightName + "_scale";

    public override Quantization For(DType sourceType, long rows, long columns, bool transpose) => transpose
        ? throw new ArgumentException("compressed-tensors has no Conv1D", nameof(transpose))
        : new Fp8Quantization(sourceType, rows, columns);

    public override byte[] WriteConfig(ModelConfig source, ConfigContent content) =>
        source.InsertQuantizationConfig(new Fp8DynamicConfig(content.SkipModules));
}

/// <summary>A weight on its way to FP8.</summary>
internal sealed record Fp8Quantization(DType SourceType, long Rows, long Columns) : Quantization(SourceType, Rows, Columns, Transpose: false)
{
    public override BufferShape Buffers => new(8, Math.Max(1, Columns), 1);

    public override IEnumerable<PlannedTensor> Outputs(string weightName)
    {
        DType scale = FloatTypes.Stored(ElementType);
        yield return new PlannedTensor(weightName, DType.F8E4M3, TensorShape.Of(Rows, Columns), OutputRole.Codes, ValueCount);
        yield return new PlannedTensor(Fp8Recipe.ScaleName(weightName), scale, TensorShape.Of(Rows, 1), OutputRole.Scale, Rows * (scale.BitSize() / 8));
    }
}
