using System.Security.Cryptography;
using System.Text.Json;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Plans;

/// <summary>
/// All that decides the bytes of an output, as text: the version of the tool, the options that change bytes, the headers of
/// the source, the files beside the weights. Two runs with the same text write the same files; its SHA-256 is the plan's
/// name in journals and manifests. Nothing in it depends on paths, times, workers, threads or devices.
/// </summary>
internal sealed class PlanRecord
{
    private PlanRecord(byte[] utf8, JsonElement root)
    {
        (Utf8, Root) = (utf8, root);
        Hash = Convert.ToHexStringLower(SHA256.HashData(utf8));
        Shards = Each(root, "shards", static name => name.GetString()!);
        SmallFiles = Each(root, "files", static file => new FileRecord(
            file.GetProperty("name").GetString()!, file.GetProperty("bytes").GetInt64(), file.GetProperty("sha256").GetString() ?? throw new FormatException("sha256")));
        Sources = Each(root, "source", static file => new SourceRecord(
            file.GetProperty("name").GetString()!, file.GetProperty("bytes").GetInt64(), file.GetProperty("header_sha256").GetString()!));
        Indexes = Each(root, "indexes", static name => name.GetString()!);
        EntryName = root.GetProperty("entry").GetString()!;
        HashesSource = root.GetProperty("hash_source").GetBoolean();
    }

    /// <summary>The text.</summary>
    public ReadOnlyMemory<byte> Utf8 { get; }

    /// <summary>SHA-256 of the text, in lower-case hexadecimal.</summary>
    public string Hash { get; }

    /// <summary>Names of the weight files, in their order.</summary>
    public IReadOnlyList<string> Shards { get; }

    /// <summary>Configs and the side files.</summary>
    public IReadOnlyList<FileRecord> SmallFiles { get; }

    /// <summary>The source's weight files.</summary>
    public IReadOnlyList<SourceRecord> Sources { get; }

    /// <summary>The indexes, each of the weight files in its own folder; empty when one file holds a whole model.</summary>
    public IReadOnlyList<string> Indexes { get; }

    /// <summary>The file that comes last: <c>config.json</c>, or <c>model_index.json</c> of a pipeline.</summary>
    public string EntryName { get; }

    /// <summary>Whether the manifest names SHA-256 of the source's weight files too.</summary>
    public bool HashesSource { get; }

    public string Tool => Root.GetProperty("tool").GetString()!;

    public string Command => Root.GetProperty("command").GetString()!;

    public JsonElement Options => Root.GetProperty("options");

    private JsonElement Root { get; }

    /// <summary>Reads the headers of the source again and the side files once.</summary>
    public static PlanRecord Of(OutputPlan plan)
    {
        byte[] utf8 = JsonLine.Indented(json =>
        {
            json.WriteNumber("format", 1);
            json.WriteString("tool", ToolVersion.Name);
            json.WriteString("command", plan.Command);
            json.WriteStartObject("options");
            plan.WriteOptions(json);
            json.WriteEndObject();
            json.WriteBoolean("hash_source", plan.HashesSource);
            json.WriteStartArray("source");
            foreach (SourceRecord file in plan.Parts.SelectMany(SourceRecord.Of))
            {
                json.WriteStartObject();
                json.WriteString("name", file.Name);
                json.WriteNumber("bytes", file.Bytes);
                json.WriteString("header_sha256", file.HeaderSha256);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("shards");
            foreach (ShardPlan shard in plan.Shards) json.WriteStringValue(shard.FileName);
            json.WriteEndArray();
            json.WriteStartArray("indexes");
            foreach (string index in plan.Parts.Select(part => part.IndexName).OfType<string>()) json.WriteStringValue(index);
            json.WriteEndArray();
            json.WriteString("entry", plan.EntryName);
            json.WriteString("layout_sha256", LayoutOf(plan));
            json.WriteStartArray("files");
            foreach (FileRecord file in SmallFilesOf(plan)) WriteFile(json, file);
            json.WriteEndArray();
        });
        return Parse(utf8)!;
    }

    /// <summary>The record of another run; null when it is none.</summary>
    public static PlanRecord? Parse(ReadOnlySpan<byte> utf8)
    {
        byte[] copy = utf8.ToArray();
        try
        {
            JsonElement root = JsonLine.Parse(copy);
            if (root.GetProperty("format").GetInt32() != 1) return null;
            var record = new PlanRecord(copy, root);
            // Names that are no text, which an escape of half a character is, cannot be compared later.
            bool named = record.Tool is not null && record.Command is not null && record.EntryName is not null
                && record.Options.ValueKind == JsonValueKind.Object && HasNames(record.Options)
                && record.Sources.All(file => file.Name is not null);
            List<string?> names = [.. record.Shards, .. record.SmallFiles.Select(file => file.Name), .. record.Indexes];
            bool apart = names.Distinct(StringComparer.Ordinal).Count() == names.Count
                && record.Sources.DistinctBy(file => file.Name).Count() == record.Sources.Count;
            return named && apart && names.All(FileRecord.IsSafeName) ? record : null;
        }
        catch (Exception broken) when (broken is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    /// <summary>Writes what is known of a file: a hash that nobody made is no member, rather than one without a value.</summary>
    public static void WriteFile(Utf8JsonWriter json, FileRecord file)
    {
        json.WriteStartObject();
        json.WriteString("name", file.Name);
        json.WriteNumber("bytes", file.Bytes);
        if (file.Sha256 is { } content) json.WriteString("sha256", content);
        json.WriteEndObject();
    }

    /// <summary>What differs, for people: a label, and the two values where they are short enough to be shown.</summary>
    /// <param name="earlier">The record that was found.</param>
    public IReadOnlyList<(string Label, string Value)> DifferencesFrom(PlanRecord earlier)
    {
        var facts = new List<(string, string)>();
        if (Tool != earlier.Tool) facts.Add(("tool", $"{earlier.Tool} then, {Tool} now"));
        if (Command != earlier.Command) facts.Add(("command", $"{earlier.Command} then, {Command} now"));
        IEnumerable<string> names = earlier.Options.EnumerateObject().Concat(Options.EnumerateObject()).Select(option => option.Name);
        foreach (string name in names.Distinct(StringComparer.Ordinal))
        {
            (string then, string now) = (Option(earlier, name), Option(this, name));
            if (then != now) facts.Add((name.Replace('_', '-'), $"{then} then, {now} now"));
        }

        if (HashesSource != earlier.HashesSource) facts.Add(("hash-source", HashesSource ? "off then, on now" : "on then, off now"));
        facts.AddRange(Changed("source", earlier.Sources.ToDictionary(file => file.Name), Sources.ToDictionary(file => file.Name)));
        facts.AddRange(Changed("side file", earlier.SmallFiles.ToDictionary(file => file.Name), SmallFiles.ToDictionary(file => file.Name)));
        if (facts.Count == 0) facts.Add(("layout", $"{earlier.Shards.Count} weight files then, {Shards.Count} now"));
        return facts;
    }

    // Loops: queries over what JsonDocument enumerates are compiled anew in every process.
    private static List<T> Each<T>(JsonElement root, string member, Func<JsonElement, T> of)
    {
        List<T> all = [];
        foreach (JsonElement element in root.GetProperty(member).EnumerateArray()) all.Add(of(element));
        return all;
    }

    private static bool HasNames(JsonElement options)
    {
        foreach (JsonProperty option in options.EnumerateObject())
            if (option.Name is null) return false;

        return true;
    }

    private static string Option(PlanRecord record, string name) => record.Options.TryGetProperty(name, out JsonElement value) ? OneLine(value.GetRawText()) : "none";

    // Indented as it is in the file. No text of JSON holds a line feed.
    private static string OneLine(string json) => string.Join(' ', json.Split('\n').Select(static line => line.Trim()));

    private static IEnumerable<(string, string)> Changed<TRecord>(string label, Dictionary<string, TRecord> then, Dictionary<string, TRecord> now)
        where TRecord : class
    {
        foreach (string name in then.Keys.Union(now.Keys).Order(StringComparer.Ordinal))
        {
            TRecord? before = then.GetValueOrDefault(name), after = now.GetValueOrDefault(name);
            if (before is null) yield return (label, $"{DisplayText.Escape(name)} is new");
            else if (after is null) yield return (label, $"{DisplayText.Escape(name)} is gone");
            else if (!before.Equals(after)) yield return (label, $"{DisplayText.Escape(name)} differs");
        }
    }

    /// <summary>
    /// Which tensor becomes what, where: whatever decided it, options and rules alike, another decision gives another hash.
    /// </summary>
    private static string LayoutOf(OutputPlan plan)
    {
        var shards = new byte[plan.Shards.Count][];
        Pieces.Run(shards.Length, index =>
        {
            shards[index] = LayoutOf(plan.Shards[index]);
            return plan.Shards[index].Tensors.Count;
        });
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (byte[] shard in shards) hash.AppendData(shard);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>SHA-256 of the names of a weight file's tensors and of a line for each of its outputs, in the order of both.</summary>
    private static byte[] LayoutOf(ShardPlan shard)
    {
        using var lines = new HashedLines();
        // Components of a pipeline have tensors of the same names.
        lines.Add(shard.FileName, '\n');
        foreach (TensorPlan tensor in shard.Tensors)
        {
            lines.Add(tensor.Name, '\n');
            lines.Add(tensor.Source.File.Name, '\n');
            lines.Add(tensor.Source.Name, '\n');
        }

        // The text of a form is made once for all the tensors that have it, and has a number then.
        var forms = new Dictionary<FormPart, int>(ReferenceEqualityComparer.Instance);
        foreach ((TensorPlan tensor, FormPart part, long begin) in shard.Outputs.Places())
        {
            if (!forms.TryGetValue(part, out int form))
            {
                forms[part] = form = forms.Count;
                string transposed = tensor.Quantization?.Transpose ?? tensor.Dequantization?.Transpose ?? false ? "T" : "";
                lines.Add($"{part.Role}{transposed} {part.Cut} {part.Suffix} {part.DType} {part.Shape}", '\n');
            }

            lines.Add(form, ' ');
            lines.Add(begin, '\n');
        }

        return lines.Finish();
    }

    private static IEnumerable<FileRecord> SmallFilesOf(OutputPlan plan)
    {
        IEnumerable<FileRecord> files = plan.CopiedFiles.Select(file => FileRecord.Read(file.Path, file.RelativeName));
        files = files.Concat(plan.MadeFiles.Select(file => FileRecord.Of(file.Name, file.Content)));
        return files.OrderBy(file => file.Name, StringComparer.Ordinal);
    }
}
