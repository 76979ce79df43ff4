using Bnb.Formats.Json;

namespace Bnb.Formats.HuggingFace;

/// <summary>
/// The <c>quantization_config</c> member of an FP8 checkpoint in compressed-tensors' layout "float-quantized": E4M3 with a scale
/// per output channel, activations quantized per token at run time (FP8_DYNAMIC).
/// </summary>
/// <param name="Ignore">Full names of the linear modules that stay as they are.</param>
public sealed record Fp8DynamicConfig(IReadOnlyList<string> Ignore) : QuantizationConfig
{
    /// <inheritdoc/>
    public override string Method => "compressed-tensors";

    // Sorted, as compressed-tensors' json.dump(sort_keys=True) does.
    internal override string ToJson(JsonLayout layout) => layout.Object(
        2,
        ("config_groups", layout.Object(3, ("group_0", Group(layout)))),
        ("format", "\"float-quantized\""),
        ("global_compression_ratio", "null"),
        ("ignore", layout.Texts(3, Ignore)),
        ("kv_cache_scheme", "null"),
        ("quant_method", PythonJson.Text(Method)),
        ("quantization_status", "\"compressed\""));

    private static string Group(JsonLayout layout) => layout.Object(
        4,
        ("input_activations", Arguments(layout, isDynamic: true, "token", "null")),
        ("output_activations", "null"),
        ("targets", layout.Texts(5, ["Linear"])),
        ("weights", Arguments(layout, isDynamic: false, "channel", "\"minmax\"")));

    private static string Arguments(JsonLayout layout, bool isDynamic, string strategy, string observer) => layout.Object(
        5,
        ("actorder", "null"),
        ("block_structure", "null"),
        ("dynamic", isDynamic ? "true" : "false"),
        ("group_size", "null"),
        ("num_bits", "8"),
        ("observer", observer),
        ("observer_kwargs", "{}"),
        ("strategy", PythonJson.Text(strategy)),
        ("symmetric", "true"),
        ("type", "\"float\""));
}
