using Bnb.Formats.Json;

namespace Bnb.Formats.HuggingFace;

/// <summary>A <c>quantization_config</c> that can be written into a config.json.</summary>
public abstract record QuantizationConfig
{
    /// <summary>The <c>quant_method</c>, by which readers choose what reads the rest.</summary>
    public abstract string Method { get; }

    /// <summary>The object in the layout asked for; its members have depth 2.</summary>
    internal abstract string ToJson(JsonLayout layout);
}
