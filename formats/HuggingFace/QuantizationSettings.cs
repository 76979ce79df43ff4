using System.Text.Json;
using Bnb.Formats.Json;

namespace Bnb.Formats.HuggingFace;

/// <summary>
/// What an existing <c>quantization_config</c> says, member by member; null for what is absent or of another JSON type.
/// Nothing is judged here. Texts are as in the file, not escaped.
/// </summary>
public sealed partial class QuantizationSettings
{
    private readonly JsonElement _object;

    internal QuantizationSettings(JsonElement value)
    {
        _object = value;
        Groups = _object.TryGetProperty("config_groups", out JsonElement groups) && groups.ValueKind == JsonValueKind.Object
            ? [.. groups.EnumerateObject().Select(group => new QuantizationGroup(group.Name, group.Value))]
            : [];
    }

    /// <summary><c>quant_method</c>.</summary>
    public string? Method => Text("quant_method");

    /// <summary><c>load_in_4bit</c>: what makes transformers and vLLM load 4-bit weights.</summary>
    public bool? LoadIn4Bit => Flag("load_in_4bit");

    /// <summary><c>load_in_8bit</c>: what makes transformers and vLLM load LLM.int8() weights.</summary>
    public bool? LoadIn8Bit => Flag("load_in_8bit");

    /// <summary><c>llm_int8_threshold</c>, however it is written.</summary>
    public double? Int8Threshold => Threshold is { } value ? value.GetDouble() : null;

    /// <summary>Whether <c>llm_int8_threshold</c> reads as a Python float, <c>6.0</c> and not <c>6</c>, which transformers
    /// refuses; null without a number.</summary>
    public bool? IsInt8ThresholdFloat => Threshold is { } value ? value.GetRawText().AsSpan().ContainsAny('.', 'e', 'E') : null;

    /// <summary><c>llm_int8_skip_modules</c>; null as well when an item is no text.</summary>
    public IReadOnlyList<string>? SkipModules => JsonRead.Texts(_object, "llm_int8_skip_modules");

    /// <summary>compressed-tensors' <c>format</c>: <c>pack-quantized</c> and others.</summary>
    public string? Format => Text("format");

    /// <summary>compressed-tensors' <c>quantization_status</c>; readers unpack only with <c>compressed</c>.</summary>
    public string? Status => Text("quantization_status");

    /// <summary>compressed-tensors' <c>ignore</c>; null as well when an item is no text.</summary>
    public IReadOnlyList<string>? Ignore => JsonRead.Texts(_object, "ignore");

    /// <summary>compressed-tensors' <c>config_groups</c>, in the order of the file; empty without any.</summary>
    public IReadOnlyList<QuantizationGroup> Groups { get; }

    /// <summary>compressed-tensors' <c>kv_cache_scheme</c> is an object: keys and values are cached quantized.</summary>
    public bool HasCacheScheme => _object.TryGetProperty("kv_cache_scheme", out JsonElement scheme) && scheme.ValueKind == JsonValueKind.Object;

    /// <summary>True when the member is there, null or not.</summary>
    public bool Has(string member) => _object.TryGetProperty(member, out _);

    private JsonElement? Threshold =>
        _object.TryGetProperty("llm_int8_threshold", out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value : null;

    private string? Text(string member) => JsonRead.Text(_object, member);

    private bool? Flag(string member) => JsonRead.Flag(_object, member);
}
