using System.Globalization;
using System.Text.Json;
using Bnb.Formats.IO;
using Bnb.Formats.Json;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.HuggingFace;

/// <summary>
/// A config.json: its original bytes, a readable view of them, and the few members that matter here. Tolerates the bare
/// <c>NaN</c> and <c>Infinity</c> that Python writes; refuses repeated keys, at any depth.
/// </summary>
public sealed class ModelConfig
{
    /// <summary>Where a quantization is described; the second name is that of old compressed-tensors files.</summary>
    private static readonly string[] SettingsMembers = ["quantization_config", "compression_config"];

    private const string DownloadAgain = "download this file again";

    // Models inside models: thinker, text. Settings themselves are not looked into.
    private const int DeepestPart = 3;

    private readonly byte[] _original;
    private readonly byte[] _readable;
    private readonly string _file;

    private ModelConfig(byte[] original, byte[] readable, JsonElement root, string file)
    {
        _original = original;
        _readable = readable;
        _file = file;
        Root = root;
    }

    /// <summary>
    /// The object. A bare <c>Infinity</c> reads as a number that is an infinite double, a bare <c>NaN</c> as an empty list.
    /// </summary>
    public JsonElement Root { get; }

    /// <summary>The original bytes.</summary>
    public ReadOnlyMemory<byte> Utf8 => _original;

    /// <summary>The <c>model_type</c>, for example <c>llama</c>; null when absent or not text.</summary>
    public string? ModelType => JsonRead.Text(Root, "model_type");

    /// <summary>Whether it is the config of a diffusers component, which names its class as <c>_class_name</c>.</summary>
    public bool IsDiffusers => JsonRead.Text(Root, "_class_name") is not null;

    /// <summary>
    /// The dtype the weights are meant to be loaded in, without the <c>torch.</c> prefix: <c>dtype</c> or
    /// <c>torch_dtype</c>, here or in <c>text_config</c>; null when none is given.
    /// </summary>
    public string? TorchDType
    {
        get
        {
            string? dtype = JsonRead.Text(Root, "dtype") ?? JsonRead.Text(Root, "torch_dtype");
            if (dtype is null && TextConfig is { } inner) dtype = JsonRead.Text(inner, "dtype") ?? JsonRead.Text(inner, "torch_dtype");
            return dtype is not null && dtype.StartsWith("torch.", StringComparison.Ordinal) ? dtype[6..] : dtype;
        }
    }

    /// <summary>Whether <c>tie_word_embeddings</c> is true, here or in <c>text_config</c>; false when not given.</summary>
    public bool TieWordEmbeddings =>
        JsonRead.Flag(Root, "tie_word_embeddings") ?? (TextConfig is { } inner ? JsonRead.Flag(inner, "tie_word_embeddings") : null) ?? false;

    /// <summary>
    /// The method of an existing <c>quantization_config</c> (or the older <c>compression_config</c>), here or in
    /// a part's config: its <c>quant_method</c>, "bitsandbytes" when it only has that one's flags, else "unknown". Null
    /// when there is none or it is null.
    /// </summary>
    public string? QuantMethod => Settings is { } settings ? MethodOf(settings) : null;

    /// <summary>What that <c>quantization_config</c> says; null when there is none or it is no object.</summary>
    public QuantizationSettings? Quantization =>
        Settings is { ValueKind: JsonValueKind.Object } settings ? new QuantizationSettings(settings) : null;

    /// <summary>
    /// The <c>quantization_config</c>, or the older <c>compression_config</c>, of the model or else of the first part that has
    /// one; null when there is none or it is null.
    /// </summary>
    public JsonElement? Settings
    {
        get
        {
            if (SettingsIn(Root) is { } own) return own;
            // A loop: queries over the runtime's own structs are compiled anew in every process.
            foreach (JsonElement part in Parts(Root, DeepestPart))
                if (SettingsIn(part) is { } found) return found;

            return null;
        }
    }

    private JsonElement? TextConfig =>
        Root.TryGetProperty("text_config", out JsonElement inner) && inner.ValueKind == JsonValueKind.Object ? inner : null;

    /// <summary>Reads a config.</summary>
    /// <param name="utf8">The whole file.</param>
    /// <param name="file">Path for messages.</param>
    /// <exception cref="CheckpointFormatException">CFG-JSON or CFG-SCHEMA.</exception>
    public static ModelConfig Parse(ReadOnlyMemory<byte> utf8, string file)
    {
        string name = FileProbe.ShortName(file);
        if (!System.Text.Unicode.Utf8.IsValid(utf8.Span))
        {
            string at = JsonPosition.FirstInvalidUtf8(utf8.Span).ToString(CultureInfo.InvariantCulture);
            throw new CheckpointFormatException(
                FormatError.ConfigNotJson, $"{name} is not UTF-8", file, facts: [("first bad byte", $"at {at}")], action: DownloadAgain);
        }

        byte[] readable = PythonLiterals.Replace(utf8.Span);
        try
        {
            JsonDocumentOptions options = new() { MaxDepth = FormatLimits.ConfigDepth, AllowDuplicateProperties = false };
            // The document is not disposed: it holds plain arrays, and Root must stay usable as long as this object.
            JsonElement root = JsonDocument.Parse(readable, options).RootElement;
            if (root.ValueKind == JsonValueKind.Object) return new ModelConfig(utf8.ToArray(), readable, root, file);
            throw new CheckpointFormatException(
                FormatError.ConfigSchema, $"{name} must be an object", file, facts: [("found", root.ValueKind.ToString())], action: DownloadAgain);
        }
        catch (JsonException error)
        {
            throw NotJson(name, file, JsonPosition.Text(error), JsonPosition.Reason(error), error);
        }
    }

    /// <summary>True when the outermost object has the member, null or not.</summary>
    public bool Has(string topLevelMember) => Root.TryGetProperty(topLevelMember, out _);

    /// <summary>
    /// The original bytes with a <c>quantization_config</c> added as last member, or in place of one that is null. Indent,
    /// line ends and spacing follow the text; every other byte stays. The result is read again to be sure of it.
    /// </summary>
    /// <exception cref="CheckpointFormatException">CFG-QUANTIZED: there is one already.</exception>
    public byte[] InsertQuantizationConfig(QuantizationConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (QuantMethod is { } method)
            throw QuantizedRefusal.Error(_file, $"config.json has a quantization_config ({DisplayText.Escape(method)})");
        byte[] edited = ConfigText.Insert(_original, _readable, "quantization_config", config.ToJson);
        ModelConfig check = Parse(edited, _file);
        int added = Has("quantization_config") ? 0 : 1;
        if (check.QuantMethod == config.Method && check.Root.GetPropertyCount() == Root.GetPropertyCount() + added)
            return edited;
        throw new InvalidOperationException("the edited config.json does not read back as intended");
    }

    /// <summary>
    /// The original text with another dtype wherever the model or a part of it names one, and as a last member where none is
    /// named; everything else byte for byte. The config of a diffusers component names none and gets none.
    /// </summary>
    /// <param name="torchName">bfloat16, float16 or float32.</param>
    public byte[] WithDType(string torchName)
    {
        ModelConfig renamed = Parse(ConfigDType.Replace(_original, _readable, torchName, SettingsMembers), _file);
        if (IsDiffusers || renamed.TorchDType is not null) return renamed._original;
        string member = Has(ConfigDType.New) ? ConfigDType.New : ConfigDType.Old;
        return Parse(ConfigText.Insert(renamed._original, renamed._readable, member, _ => PythonJson.Text(torchName)), _file)._original;
    }

    /// <summary><c>bnb_4bit_compute_dtype</c> of the quantization_config, or null.</summary>
    public string? ComputeDType =>
        Settings is { ValueKind: JsonValueKind.Object } settings ? JsonRead.Text(settings, "bnb_4bit_compute_dtype") : null;

    /// <summary>
    /// The original text without any quantization_config (or compression_config), the model's own or a part's, of any method;
    /// everything else byte for byte. For a checkpoint that is dequantized.
    /// </summary>
    public byte[] RemoveQuantizationConfig()
    {
        ModelConfig config = this;
        foreach (string member in SettingsMembers.Where(Has)) config = config.Without(member);
        while (config.InnerSettings() is var (start, length, name)) config = config.Without(start, length, name);
        return config._original;
    }

    /// <summary>Where the text has an object inside the outermost one that has settings of its own.</summary>
    private (int Start, int Length, string Member)? InnerSettings()
    {
        Utf8JsonReader reader = new(_readable, new JsonReaderOptions { MaxDepth = FormatLimits.ConfigDepth });
        List<int> objects = [];
        (int Depth, string Member)? found = null;
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.StartObject) objects.Add((int)reader.TokenStartIndex);
            if (reader.TokenType == JsonTokenType.PropertyName && found is null && objects.Count > 1)
            {
                foreach (string member in SettingsMembers)
                    if (reader.ValueTextEquals(member)) found = (objects.Count, member);
            }

            if (reader.TokenType != JsonTokenType.EndObject) continue;
            int start = objects[^1];
            objects.RemoveAt(objects.Count - 1);
            if (found is var (depth, name) && objects.Count == depth - 1) return (start, (int)reader.BytesConsumed - start, name);
        }

        return null;
    }

    private ModelConfig Without(int start, int length, string member)
    {
        byte[] inner = ConfigText.Remove(_original[start..(start + length)], _readable[start..(start + length)], member);
        if (inner.Length >= length) throw new InvalidOperationException("the edited config.json does not read back as intended");
        return Parse((byte[])[.. _original.AsSpan(0, start), .. inner, .. _original.AsSpan(start + length)], _file);
    }

    private static IEnumerable<JsonElement> Parts(JsonElement config, int depth)
    {
        if (depth == 0) yield break;
        foreach (JsonProperty member in config.EnumerateObject())
        {
            if (member.Value.ValueKind != JsonValueKind.Object || SettingsMembers.Contains(member.Name)) continue;
            yield return member.Value;
            foreach (JsonElement part in Parts(member.Value, depth - 1)) yield return part;
        }
    }

    private ModelConfig Without(string member)
    {
        ModelConfig check = Parse(ConfigText.Remove(_original, _readable, member), _file);
        if (!check.Has(member) && check.Root.GetPropertyCount() == Root.GetPropertyCount() - 1) return check;
        throw new InvalidOperationException("the edited config.json does not read back as intended");
    }

    private static JsonElement? SettingsIn(JsonElement config)
    {
        foreach (string member in SettingsMembers)
        {
            if (config.TryGetProperty(member, out JsonElement value) && value.ValueKind != JsonValueKind.Null) return value;
        }

        return null;
    }

    private static string MethodOf(JsonElement settings) => settings.ValueKind != JsonValueKind.Object
        ? "unknown"
        : JsonRead.Text(settings, "quant_method")
            ?? (JsonRead.Flag(settings, "load_in_4bit") ?? JsonRead.Flag(settings, "load_in_8bit") ?? false ? "bitsandbytes" : "unknown");

    private static CheckpointFormatException NotJson(string name, string file, string position, string reason, Exception inner) =>
        new(
        FormatError.ConfigNotJson,
        $"{name} is not valid JSON",
        file,
        facts: [("position", position), ("expected", DisplayText.Escape(reason))],
        action: DownloadAgain,
        inner: inner);
}
