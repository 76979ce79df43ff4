using System.Text.Json;
using Bnb.Formats.Json;

namespace Bnb.Formats.HuggingFace;

/// <summary>
/// One of compressed-tensors' <c>config_groups</c>: which modules, and how their weights are quantized. Null for what is
/// absent or of another JSON type.
/// </summary>
public sealed class QuantizationGroup
{
    private readonly JsonElement _group;
    private readonly JsonElement _weights;

    internal QuantizationGroup(string name, JsonElement value)
    {
        Name = name;
        _group = value;
        HasWeights = value.ValueKind == JsonValueKind.Object
            && value.TryGetProperty("weights", out _weights) && _weights.ValueKind == JsonValueKind.Object;
    }

    /// <summary>Its key: <c>group_0</c>, or the name of a scheme known to the library.</summary>
    public string Name { get; }

    /// <summary>True when weights are quantized by it; everything below is about them.</summary>
    public bool HasWeights { get; }

    /// <summary><c>targets</c>: class names, module names, or patterns after <c>re:</c>.</summary>
    public IReadOnlyList<string>? Targets => _group.ValueKind == JsonValueKind.Object ? JsonRead.Texts(_group, "targets") : null;

    /// <summary><c>format</c> of this group alone; null means that of the whole.</summary>
    public string? Format => _group.ValueKind == JsonValueKind.Object ? JsonRead.Text(_group, "format") : null;

    /// <summary><c>num_bits</c>.</summary>
    public long? NumBits => Number("num_bits");

    /// <summary><c>type</c>: <c>int</c> or <c>float</c>.</summary>
    public string? Type => HasWeights ? JsonRead.Text(_weights, "type") : null;

    /// <summary><c>symmetric</c>; readers take true when absent.</summary>
    public bool? IsSymmetric => HasWeights ? JsonRead.Flag(_weights, "symmetric") : null;

    /// <summary><c>strategy</c>: <c>group</c>, <c>channel</c> and others.</summary>
    public string? Strategy => HasWeights ? JsonRead.Text(_weights, "strategy") : null;

    /// <summary><c>group_size</c>; null or -1 for one group a row.</summary>
    public long? GroupSize => Number("group_size");

    /// <summary><c>actorder</c>: <c>group</c> or <c>dynamic</c> when columns are reordered, <c>weight</c>, or null.</summary>
    public string? ActOrder => HasWeights ? JsonRead.Text(_weights, "actorder") : null;

    /// <summary><c>block_structure</c>: rows and columns of an FP8 block; null unless it is two numbers.</summary>
    public (long Rows, long Columns)? BlockStructure => HasWeights ? QuantizationSettings.Pair(_weights, "block_structure") : null;

    private long? Number(string member) => HasWeights && _weights.TryGetProperty(member, out JsonElement value)
        && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? number : null;
}
