using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Text;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Output;

/// <summary>
/// <c>bnb-manifest.json</c>: what made an output, from what, and SHA-256 of every file of it. Every way to the same result
/// writes the same manifest.
/// </summary>
/// <param name="Tool">Name and version.</param>
/// <param name="Command">The command that made it.</param>
/// <param name="Plan">SHA-256 of the plan's text, in lower-case hexadecimal.</param>
/// <param name="Options">The options that change bytes, as a JSON object.</param>
/// <param name="Sources">The source's weight files.</param>
/// <param name="Contents">SHA-256 of their contents by name, empty when they were not asked for.</param>
/// <param name="Files">Every file of the folder but the manifest, by name.</param>
internal sealed record OutputManifest(
    string Tool, string Command, string Plan, JsonElement Options, IReadOnlyList<SourceRecord> Sources,
    IReadOnlyDictionary<string, string> Contents, IReadOnlyList<FileRecord> Files)
{
    public const string FileName = "bnb-manifest.json";

    /// <summary>Of a class that nobody knows: its biases said that weights are stored [in, out], which the quantized ones do not say any more.</summary>
    public const string Conv1DOption = "conv1d";

    private const int Version = 1;

    /// <summary>The member, true and only there when it is, that lets entries of weight files go without <c>sha256</c>.</summary>
    private const string WithoutChecksums = "no_checksums";

    /// <summary>False when some weight files were written without their SHA-256.</summary>
    public bool HasChecksums => Files.All(static file => file.Sha256 is not null);

    /// <summary>The rule that chose the scales, null when the manifest does not say.</summary>
    public ScaleRule? Scale =>
        Options.TryGetProperty("scale", out JsonElement scale) && scale.ValueKind == JsonValueKind.String
        && Enum.TryParse(scale.GetString(), ignoreCase: true, out ScaleRule rule) && Enum.IsDefined(rule) ? rule : null;

    /// <summary>The dtype that the source was cast to first; null when it was not.</summary>
    public ElementType? CastTo => Command == "quantize" && Options.TryGetProperty("dtype", out JsonElement dtype) && dtype.ValueKind == JsonValueKind.String
        ? FloatTypes.Named(dtype.GetString()) : null;

    /// <summary>The variant of the source's weights that was read; null for the plain files.</summary>
    public string? Variant => Options.TryGetProperty("variant", out JsonElement variant) && variant.ValueKind == JsonValueKind.String ? variant.GetString() : null;

    /// <summary>Whether the folder's manifest records that the quantized model uses Conv1D; false without one that can be read.</summary>
    public static bool RecordsConv1D(string folder)
    {
        try
        {
            return FindAround(folder) is { } manifest && manifest.Options.TryGetProperty(Conv1DOption, out JsonElement isUsed) && isUsed.ValueKind == JsonValueKind.True;
        }
        catch (UserErrorException)
        {
            return false;
        }
    }

    /// <summary>The manifest of a folder, or of the pipeline that it is a component of; null when there is none.</summary>
    /// <exception cref="UserErrorException">MANIFEST: as <see cref="Find"/>.</exception>
    public static OutputManifest? FindAround(string folder)
    {
        if (Find(folder) is { } own) return own;
        string? parent = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        return parent is not null && File.Exists(Path.Combine(parent, "model_index.json")) ? Find(parent) : null;
    }

    /// <summary>The manifest of a folder, null when it has none.</summary>
    /// <exception cref="UserErrorException">MANIFEST: what is there is not one, or names a file outside of the folder.</exception>
    public static OutputManifest? Find(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return null;
        return SmallFile.TryRead(path) is { } text && Parse(text) is { } manifest ? manifest : throw NotOne(path);
    }

    public static OutputManifest? Parse(byte[] utf8)
    {
        try
        {
            JsonElement root = JsonLine.Parse(utf8);
            if (root.GetProperty("manifest").GetInt32() != Version) return null;
            bool isPartial = root.TryGetProperty(WithoutChecksums, out JsonElement said);
            // One way to say it: a reader that asks for the member alone is not misled.
            if (isPartial && said.ValueKind != JsonValueKind.True) return null;
            var manifest = new OutputManifest(
                Text(root, "tool"), Text(root, "command"), Text(root, "plan"), root.GetProperty("options"),
                [.. root.GetProperty("source").EnumerateArray().Select(file => new SourceRecord(
                    Text(file, "name"), file.GetProperty("bytes").GetInt64(), Text(file, "header_sha256")))],
                root.GetProperty("source").EnumerateArray().Where(file => file.TryGetProperty("sha256", out _))
                    .ToDictionary(file => Text(file, "name"), file => Text(file, "sha256"), StringComparer.Ordinal),
                [.. root.GetProperty("files").EnumerateArray().Select(file => Record(file, isPartial))]);
            if (manifest.HasChecksums == isPartial) return null;
            // What is no text, as half a character in an escape, could not be shown again.
            using (var nowhere = new Utf8JsonWriter(Stream.Null)) manifest.Options.WriteTo(nowhere);
            // Of an output without a weight file "all is as it says" would be no news, and none is made.
            bool hasWeights = manifest.Files.Any(static file => IsWeights(file.Name));
            return manifest.Options.ValueKind == JsonValueKind.Object && hasWeights && manifest.Files.All(file => FileRecord.IsSafeName(file.Name)) ? manifest : null;
        }
        catch (Exception broken) when (broken is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            return null;
        }
    }

    public byte[] Write() => JsonLine.Indented(json =>
    {
        json.WriteNumber("manifest", Version);
        json.WriteString("tool", Tool);
        json.WriteString("command", Command);
        json.WriteString("plan", Plan);
        if (!HasChecksums) json.WriteBoolean(WithoutChecksums, true);
        json.WritePropertyName("options");
        Options.WriteTo(json);
        json.WriteStartArray("source");
        foreach (SourceRecord file in Sources)
        {
            json.WriteStartObject();
            json.WriteString("name", file.Name);
            json.WriteNumber("bytes", file.Bytes);
            json.WriteString("header_sha256", file.HeaderSha256);
            if (Contents.TryGetValue(file.Name, out string? content)) json.WriteString("sha256", content);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("files");
        foreach (FileRecord file in Files) PlanRecord.WriteFile(json, file);
        json.WriteEndArray();
    });

    /// <param name="isPartial">Whether the manifest says that weight files may go without a hash; others never do.</param>
    private static FileRecord Record(JsonElement file, bool isPartial)
    {
        string name = Text(file, "name");
        bool isUnhashed = isPartial && IsWeights(name) && !file.TryGetProperty("sha256", out _);
        return new FileRecord(name, file.GetProperty("bytes").GetInt64(), isUnhashed ? null : Text(file, "sha256"));
    }

    private static bool IsWeights(string name) => name.EndsWith(".safetensors", StringComparison.Ordinal);

    private static string Text(JsonElement entry, string member) =>
        entry.GetProperty(member).GetString() ?? throw new FormatException(member);

    private static UserErrorException NotOne(string path) => new(
        ExitCode.InputMalformed, "MANIFEST", $"{FileName} is not a manifest that this version reads")
    {
        File = path,
        Action = "get the folder again, or delete the manifest to go without it",
    };
}
