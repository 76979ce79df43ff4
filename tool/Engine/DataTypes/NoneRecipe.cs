using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.DataTypes;

/// <summary>Nothing is quantized: what is written is the dense model, merged and decoded where it was not.</summary>
internal sealed record NoneRecipe : QuantizeRecipe
{
    public override string Type => "none";

    public override PolicyTarget Target => PolicyTarget.Bnb4;

    public override int Blocksize => 1;

    public override bool Quantizes => false;

    public override IEnumerable<string> CompanionNames(string weightName) => [];

    public override Quantization For(DType sourceType, long rows, long columns, bool transpose) =>
        throw new InvalidOperationException("nothing is quantized");

    public override byte[] WriteConfig(ModelConfig source, ConfigContent content) => source.Utf8.ToArray();
}
