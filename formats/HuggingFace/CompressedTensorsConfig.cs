using System.Globalization;
using Bnb.Formats.Json;

namespace Bnb.Formats.HuggingFace;

/// <summary>
/// The <c>quantization_config</c> member of an INT4 checkpoint in compressed-tensors' layout "pack-quantized", weights only.
/// It has the members that every release of the library since 0.9 takes: <c>scale_dtype</c>, <c>zp_dtype</c> and a group's
/// own <c>format</c> came later, mean the same when absent, and are errors to older readers.
/// </summary>
/// <param name="GroupSize">Values that share a scale; must agree with the tensors.</param>
/// <param name="IsSymmetric">False when there are zero points; must agree with the tensors.</param>
/// <param name="Ignore">Full names of the linear modules that stay as they are. Readers take a name literally: a part of it
/// or the name of a parent matches nothing.</param>
public sealed record CompressedTensorsConfig(int GroupSize, bool IsSymmetric, IReadOnlyList<string> Ignore) : QuantizationConfig
{
    /// <inheritdoc/>
    public override string Method => "compressed-tensors";

    // Sorted, as compressed-tensors' json.dump(sort_keys=True) does.
    internal override string ToJson(JsonLayout layout) => layout.Object(
        2,
        ("config_groups", layout.Object(3, ("group_0", Group(layout)))),
        ("format", "\"pack-quantized\""),
        ("global_compression_ratio", "null"),
        ("ignore", layout.Texts(3, Ignore)),
        ("kv_cache_scheme", "null"),
        ("quant_method", PythonJson.Text(Method)),
        ("quantization_status", "\"compressed\""));

    private string Group(JsonLayout layout) => layout.Object(
        4,
        ("input_activations", "null"),
        ("output_activations", "null"),
        ("targets", layout.Texts(5, ["Linear"])),
        ("weights", Weights(layout)));

    private string Weights(JsonLayout layout) => layout.Object(
        5,
        ("actorder", "null"),
        ("block_structure", "null"),
        ("dynamic", "false"),
        ("group_size", GroupSize.ToString(CultureInfo.InvariantCulture)),
        ("num_bits", "4"),
        ("observer", "\"minmax\""),
        ("observer_kwargs", "{}"),
        ("strategy", "\"group\""),
        ("symmetric", IsSymmetric ? "true" : "false"),
        ("type", "\"int\""));
}
