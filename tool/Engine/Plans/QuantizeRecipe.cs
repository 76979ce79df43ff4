using System.Text.Json;
using Bnb.Engine.Policy;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Plans;

/// <summary>
/// What weights are quantized to, with the options of that data type; the same for every tensor of a run. One subclass per
/// family of types is all that planning, layout and buffers know of them.
/// </summary>
internal abstract record QuantizeRecipe
{
    /// <summary>Name as <c>--type</c> and reports spell it: nf4, fp4, int8, int4.</summary>
    public abstract string Type { get; }

    /// <summary>Whose rules decide which modules are quantized and how the list of the others is read.</summary>
    public abstract PolicyTarget Target { get; }

    /// <summary>Neighbouring values of a row that share a scale: a layer whose input size is no multiple is unaligned.</summary>
    public abstract int Blocksize { get; }

    /// <summary>How scales are found.</summary>
    public ScaleRule Scale { get; init; }

    /// <summary>False for the recipe that leaves every weight as it is.</summary>
    public virtual bool Quantizes => true;

    /// <summary>Whether the output's size is known only after the weights were read.</summary>
    public virtual bool SizeDependsOnWeights => false;

    /// <summary>Writes the type's own options, as journals and manifests keep them.</summary>
    public virtual void WriteOptions(Utf8JsonWriter json)
    {
    }

    /// <summary>Names of the tensors that a quantized weight adds to the file.</summary>
    public abstract IEnumerable<string> CompanionNames(string weightName);

    /// <summary>The plan for one weight.</summary>
    public abstract Quantization For(DType sourceType, long rows, long columns, bool transpose);

    /// <summary>The source's config.json with the <c>quantization_config</c> of this recipe.</summary>
    public abstract byte[] WriteConfig(ModelConfig source, ConfigContent content);
}
