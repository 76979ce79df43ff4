using System.Numerics;
using System.Text.Json;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.DataTypes;

/// <summary>LLM.int8() as bitsandbytes' Linear8bitLt stores it: one scale per output feature.</summary>
/// <param name="Threshold">Activations of this size or more are multiplied in 16 bit; read at run time from the config.</param>
internal sealed record Int8Recipe(double Threshold) : QuantizeRecipe
{
    public const double DefaultThreshold = BnbQuantizationConfig.DefaultInt8Threshold;

    public override string Type => "int8";

    public override PolicyTarget Target => PolicyTarget.Bnb8;

    // Rows are scaled as a whole, so no layer is unaligned.
    public override int Blocksize => 1;

    public override void WriteOptions(Utf8JsonWriter json) => json.WriteNumber("int8_threshold", Threshold);

    public override IEnumerable<string> CompanionNames(string weightName)
    {
        string module = Module(weightName);
        return [BnbKeys.ScbFor(module), BnbKeys.WeightFormatFor(module)];
    }

    public override Quantization For(DType sourceType, long rows, long columns, bool transpose) =>
        new Int8Quantization(sourceType, rows, columns, transpose);

    public override byte[] WriteConfig(ModelConfig source, ConfigContent content) =>
        source.InsertQuantizationConfig(BnbQuantizationConfig.ForInt8(content.SkipModules, Threshold));

    /// <summary>SCB and weight_format hang on the module, not on its weight.</summary>
    public static string Module(string weightName) => ModuleName.PathOfWeight(weightName)
        ?? throw new ArgumentException($"{weightName} is not the weight of a module", nameof(weightName));
}

/// <summary>A weight on its way to int8.</summary>
internal sealed record Int8Quantization(DType SourceType, long Rows, long Columns, bool Transpose)
    : Quantization(SourceType, Rows, Columns, Transpose)
{
    // A search looks at a row many times, so a chunk holds at least one.
    public override BufferShape Buffers => new(8, Columns, Scale == ScaleRule.Search ? (int)BitOperations.RoundUpToPowerOf2((uint)Columns) : 1);

    public override IEnumerable<PlannedTensor> Outputs(string weightName)
    {
        string module = Int8Recipe.Module(weightName);
        yield return new PlannedTensor(weightName, DType.I8, TensorShape.Of(Rows, Columns), OutputRole.Codes, ValueCount);
        yield return new PlannedTensor(BnbKeys.ScbFor(module), DType.F32, TensorShape.Of(Rows), OutputRole.Scale, Rows * sizeof(float));
        yield return new PlannedTensor(BnbKeys.WeightFormatFor(module), DType.U8, TensorShape.Of(), OutputRole.WeightFormat, 1);
    }
}
