using System.Globalization;
using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>The members of a config.json that describe a model's shape, each checked for type and range before it sizes
/// anything. Older and newer spellings are alternatives. A member that the file does not have has the default of the family's
/// class; one that is null has no value, which is another thing: a window of null is none.</summary>
internal sealed class ConfigReader
{
    /// <summary>No model is near it; a product of two stays within 63 bits.</summary>
    private const int LargestSize = 1 << 24;

    private readonly JsonElement _root;
    private readonly JsonElement? _defaults;
    private readonly string _file;

    /// <param name="config">The parsed file.</param>
    /// <param name="file">Its path, for messages.</param>
    /// <param name="contextLength">Tokens of the longest context; some rotary forms depend on it.</param>
    /// <param name="defaults">An object with what the class takes for members that the file does not have.</param>
    public ConfigReader(ModelConfig config, string file, int contextLength, JsonElement defaults)
        : this(config.Root, file, contextLength, defaults)
    {
    }

    private ConfigReader(JsonElement root, string file, int contextLength, JsonElement? defaults)
    {
        _root = root;
        _defaults = defaults;
        _file = file;
        ContextLength = contextLength;
    }

    /// <summary>Tokens of the longest context.</summary>
    public int ContextLength { get; }

    /// <summary>Hidden width.</summary>
    public int Hidden => Size("hidden_size", "n_embd");

    /// <summary>Number of layers.</summary>
    public int Layers => Size("num_hidden_layers", "n_layer");

    /// <summary>Query heads.</summary>
    public int Heads => Size("num_attention_heads", "n_head");

    /// <summary>Key and value heads; as many as query heads when not given.</summary>
    public int KeyHeads => OptionalSize("num_key_value_heads") ?? Heads;

    /// <summary>Channels of a head.</summary>
    public int HeadWidth => OptionalSize("head_dim") ?? (Hidden / Heads);

    /// <summary>Width of the feed-forward block.</summary>
    public int Intermediate => Size("intermediate_size", "ffn_dim", "n_inner");

    /// <summary>Rows of the embedding.</summary>
    public int Vocabulary => Size("vocab_size");

    /// <summary>The nonlinearity.</summary>
    /// <param name="member">What the family calls it; whatever else a file has is not read by its class.</param>
    public Activation Activation(string member = "hidden_act")
    {
        string name = Text(member) ?? _defaults?.GetProperty(member).GetString() ?? throw Missing(member);
        return Activations.ByName(name) ?? throw Unsupported(member, name);
    }

    /// <summary>Whether a member is there and not null.</summary>
    public bool Has(string member) => Find([member]) is not null;

    /// <summary>A positive integer.</summary>
    public int Size(params ReadOnlySpan<string> names) => OptionalSize(names) ?? throw Missing(names[0]);

    /// <summary>A positive integer, or null when absent.</summary>
    public int? OptionalSize(params ReadOnlySpan<string> names)
    {
        if (Find(names) is not { } value) return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int size) && size is > 0 and <= LargestSize) return size;
        throw Bad(names[0], $"an integer from 1 to {LargestSize}", value);
    }

    /// <summary>An integer that may be 0.</summary>
    public int Count(string name)
    {
        if (Find([name]) is not { } value) throw Missing(name);
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int count) && count is >= 0 and <= LargestSize) return count;
        throw Bad(name, $"an integer from 0 to {LargestSize}", value);
    }

    /// <summary>A finite number.</summary>
    public double Number(string name) => OptionalNumber(name) ?? throw Missing(name);

    /// <summary>A finite number, or null when absent.</summary>
    public double? OptionalNumber(params ReadOnlySpan<string> names)
    {
        if (Find(names) is not { } value) return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number)) return number;
        throw Bad(names[0], "a number", value);
    }

    /// <summary>Whether a member is an object with anything in it.</summary>
    public bool HasObject(string name) => Find([name]) is { ValueKind: JsonValueKind.Object } value && value.EnumerateObject().Any();

    /// <summary>A flag.</summary>
    public bool Flag(string name, bool absent) => Find([name]) is not { } value ? absent : value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Bad(name, "true or false", value),
    };

    /// <summary>A text, or null when absent.</summary>
    public string? Text(params ReadOnlySpan<string> names)
    {
        if (Find(names) is not { } value) return null;
        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Bad(names[0], "a text", value);
    }

    /// <summary>A list of texts, or null when absent.</summary>
    public IReadOnlyList<string>? Texts(string name)
    {
        if (Find([name]) is not { } value) return null;
        if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String))
            return [.. value.EnumerateArray().Select(item => item.GetString()!)];
        throw Bad(name, "a list of texts", value);
    }

    /// <summary>A list of numbers, or null when absent.</summary>
    public IReadOnlyList<double>? Numbers(string name)
    {
        if (Find([name]) is not { } value) return null;
        if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number))
            return [.. value.EnumerateArray().Select(item => item.GetDouble())];
        throw Bad(name, "a list of numbers", value);
    }

    /// <summary>A member that is an object, or null when absent.</summary>
    public ConfigReader? Object(string name)
    {
        if (Find([name]) is not { } value) return null;
        return value.ValueKind == JsonValueKind.Object ? new ConfigReader(value, _file, ContextLength, defaults: null) : throw Bad(name, "an object", value);
    }

    /// <summary>Throws when a flag has a value that no operator here computes.</summary>
    public void Require(string name, bool expected, bool absent)
    {
        if (Flag(name, absent) != expected) throw Unsupported(name, expected ? "false" : "true");
    }

    /// <summary>What to throw for a value that is not computed here.</summary>
    public UserErrorException Unsupported(string member, string value) => new(
        ExitCode.InputUnsupported, "MODEL-UNSUP", $"no forward pass for models with {member} {DisplayText.Escape(value)}")
    {
        File = _file,
        Facts = [("member", member), ("found", DisplayText.Escape(value))],
        Action = "compare the weights with verify and diff, which need no forward pass",
    };

    private JsonElement? Find(ReadOnlySpan<string> names)
    {
        bool isNull = false;
        foreach (string name in names)
        {
            if (!_root.TryGetProperty(name, out JsonElement value)) continue;
            if (value.ValueKind != JsonValueKind.Null) return value;
            isNull = true;
        }

        if (isNull || _defaults is not { } defaults) return null;
        foreach (string name in names)
        {
            if (defaults.TryGetProperty(name, out JsonElement value)) return value;
        }

        return null;
    }

    private CheckpointFormatException Missing(string name) => new(
        FormatError.ConfigSchema, $"config.json has no {name}, which the model's shape needs", _file, facts: [("missing", name)],
        action: "download config.json again");

    private CheckpointFormatException Bad(string name, string expected, JsonElement found) => new(
        FormatError.ConfigSchema,
        $"{name} in config.json must be {expected}",
        _file,
        facts: [("found", DisplayText.Escape(string.Create(CultureInfo.InvariantCulture, $"{found}"))), ("expected", expected)],
        action: "download config.json again");
}
