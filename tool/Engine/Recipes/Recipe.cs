using System.Text.Json;
using System.Text.Json.Nodes;
using Bnb.Engine.Errors;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Recipes;

/// <summary>
/// Options of <c>quantize</c> in a file: a JSON object whose keys are the long option names in camel case and whose values are
/// texts, numbers, true or false, or lists of texts for options that may be repeated. Comments and trailing commas are allowed;
/// <c>$schema</c> is passed over, and so are keys that begin with an underscore, which hold what <c>plan</c> expects.
/// </summary>
/// <param name="Options">Key and values, in file order. Values are as on a command line.</param>
internal sealed record Recipe(IReadOnlyList<KeyValuePair<string, IReadOnlyList<string>>> Options)
{
    /// <summary>The key of overrides, whose option is <c>--override</c>.</summary>
    public const string OverridesKey = "overrides";

    /// <summary>The name of the schema of such files, docs/schemas/recipe-file.schema.json.</summary>
    public const string SchemaId = "urn:dotnet-bnb:schema:recipe-file:1";

    private const int LongestFile = 16 << 20;

    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = 8 };
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The option a key stands for: <c>blockSize</c> is <c>--block-size</c>.</summary>
    public static string OptionOf(string key)
    {
        if (key == OverridesKey) return "--override";
        // A dash is how an option is spelled, not a key: two spellings of one key could say two things.
        if (key.Contains('-', StringComparison.Ordinal)) return key;
        var name = new System.Text.StringBuilder("--");
        foreach (char letter in key)
        {
            if (char.IsAsciiLetterUpper(letter)) name.Append('-').Append(char.ToLowerInvariant(letter));
            else name.Append(letter);
        }

        return name.ToString();
    }

    /// <summary>The key that stands for an option: the way back.</summary>
    public static string KeyOf(string option) => option == "--override"
        ? OverridesKey
        : string.Concat(option[2..].Split('-').Select((word, i) => i == 0 ? word : char.ToUpperInvariant(word[0]) + word[1..]));

    /// <summary>Reads a file. Whether its keys are options is the caller's question.</summary>
    /// <exception cref="UserErrorException">RECIPE: it cannot be read, is no JSON object, or a value is of no kind an option has.</exception>
    public static Recipe Read(string path)
    {
        string wrong;
        try
        {
            if (NamedFile.TryRead(path, LongestFile, out wrong) is { } bytes) return Parse(bytes, path);
        }
        catch (IOException failed)
        {
            throw new UserErrorException(ExitCode.IoError, "RECIPE", $"the recipe cannot be read: {failed.Message}", failed) { File = path, Action = "check the disk, or name another file" };
        }

        bool isMissing = !Path.Exists(path);
        throw new UserErrorException(ExitCode.Usage, "RECIPE", isMissing ? "there is no recipe of this name" : $"the recipe cannot be read: {wrong}")
        {
            File = path,
            Action = isMissing ? "correct the path, or write a recipe with: dotnet bnb init SOURCE" : "make the file readable, or name another",
        };
    }

    /// <summary>Reads the content of a file. Pure: touches no file.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="path">For messages.</param>
    /// <exception cref="UserErrorException">RECIPE: it is no JSON object, or a value is of no kind an option has.</exception>
    public static Recipe Parse(ReadOnlyMemory<byte> bytes, string path)
    {
        try
        {
            // Editors on Windows begin a file with a byte order mark.
            ReadOnlyMemory<byte> text = bytes.Span.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
            using JsonDocument document = JsonDocument.Parse(text, Lenient);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw Error(path, "a recipe is one JSON object", null);
            var options = new List<KeyValuePair<string, IReadOnlyList<string>>>();
            var keys = new HashSet<string>(StringComparer.Ordinal);
            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                if (property.Name == "$schema" || property.Name.StartsWith('_')) continue;
                if (!keys.Add(property.Name)) throw Error(path, $"'{DisplayText.Escape(property.Name)}' is given twice", null);
                options.Add(new(property.Name, Values(path, property)));
            }

            return new Recipe(options);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // The second is what a lone surrogate in a name or text gives.
            throw Error(path, $"the recipe is no JSON: {DisplayText.Escape(error.Message)}", error);
        }
    }

    /// <summary>The text of a recipe file.</summary>
    /// <param name="options">Key and value: a text, number, bool or list of texts.</param>
    /// <param name="expected">What the recipe is expected to give, for readers; under a key of its own.</param>
    public static string Write(IEnumerable<KeyValuePair<string, JsonNode?>> options, JsonObject? expected)
    {
        var root = new JsonObject(options.Prepend(new("$schema", SchemaId)));
        if (expected is not null) root["_expected"] = expected;
        return root.ToJsonString(Indented) + "\n";
    }

    /// <summary>A pattern that this name alone fits.</summary>
    public static string PatternOf(string name) =>
        name.AsSpan().ContainsAny("*?{") || name.StartsWith("re:", StringComparison.Ordinal) ? ExactPattern(name) : name;

    /// <summary>The same, as a regular expression for every name.</summary>
    public static string ExactPattern(string name) => "re:" + System.Text.RegularExpressions.Regex.Escape(name);

    private static string[] Values(string path, JsonProperty property) => property.Value.ValueKind switch
    {
        JsonValueKind.Array => [.. property.Value.EnumerateArray().Select(item => Value(path, property.Name, item))],
        _ => [Value(path, property.Name, property.Value)],
    };

    private static string Value(string path, string key, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => throw Error(path, $"the value of '{DisplayText.Escape(key)}' is no text, number, true or false", null),
    };

    private static UserErrorException Error(string path, string what, Exception? cause) =>
        new(ExitCode.Usage, "RECIPE", what, cause)
        {
            File = path,
            Action = "keys are the long option names in camel case: {\"type\": \"nf4\", \"blockSize\": 64, \"overrides\": [\"*.down_proj=keep\"]}",
        };
}
