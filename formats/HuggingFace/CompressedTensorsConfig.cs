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
    /// <summary>
    /// Modules whose groups have another size. They stand before the class <c>Linear</c>: compressed-tensors takes a name before a class
    /// wherever it stands, and an older one of several names the first.
    /// </summary>
    public IReadOnlyList<TargetedGroup> Others { get; init; } = [];

    /// <inheritdoc/>
    public override string Method => "compressed-tensors";

    // Sorted, as compressed-tensors' json.dump(sort_keys=True) does.
    internal override string ToJson(JsonLayout layout) => layout.Object(
        2,
        ("config_groups", layout.Object(3, [.. Groups().Select((group, i) => ($"group_{i}", Group(layout, group)))])),
        ("format", "\"pack-quantized\""),
        ("global_compression_ratio", "null"),
        ("ignore", layout.Texts(3, Ignore)),
        ("kv_cache_scheme", "null"),
        ("quant_method", PythonJson.Text(Method)),
        ("quantization_status", "\"compressed\""));

    private IEnumerable<TargetedGroup> Groups() => [.. Others, new TargetedGroup(GroupSize, ["Linear"])];

    private string Group(JsonLayout layout, TargetedGroup group) => layout.Object(
        4,
        ("input_activations", "null"),
        ("output_activations", "null"),
        ("targets", layout.Texts(5, group.Targets)),
        ("weights", Weights(layout, group.GroupSize)));

    private string Weights(JsonLayout layout, int groupSize) => layout.Object(
        5,
        ("actorder", "null"),
        ("block_structure", "null"),
        ("dynamic", "false"),
        ("group_size", groupSize.ToString(CultureInfo.InvariantCulture)),
        ("num_bits", "4"),
        ("observer", "\"minmax\""),
        ("observer_kwargs", "{}"),
        ("strategy", "\"group\""),
        ("symmetric", IsSymmetric ? "true" : "false"),
        ("type", "\"int\""));
}
