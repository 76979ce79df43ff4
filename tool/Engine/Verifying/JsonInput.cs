using System.Text.Json;
using System.Text.Unicode;
using Bnb.Engine.Errors;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Verifying;

/// <summary>
/// A small JSON file that the user names on the command line. Every complaint is a <see cref="UserErrorException"/> with
/// <see cref="ExitCode.Usage"/> that names the file and the member.
/// </summary>
/// <param name="path">As given.</param>
/// <param name="code">Stable identifier of every complaint.</param>
/// <param name="action">What the user can do about one.</param>
internal sealed class JsonInput(string path, string code, string action)
{
    private const int MostDepth = 16;

    /// <summary>Reads and parses the file; its root must be an object.</summary>
    /// <param name="mostBytes">Longer files are refused before they are parsed.</param>
    public JsonDocument Read(int mostBytes) => Parse(NamedFile.TryRead(path, mostBytes, out string wrong) ?? throw Refuse(wrong));

    /// <summary>Parses the file's content; its root must be an object.</summary>
    public JsonDocument Parse(ReadOnlyMemory<byte> json)
    {
        // Editors on Windows put a byte order mark in front.
        if (json.Span.StartsWith("\uFEFF"u8)) json = json[3..];
        // The parser lets other bytes through in texts, to fail when they are read.
        if (!Utf8.IsValid(json.Span)) throw Refuse("the file is not UTF-8");
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MostDepth });
        }
        catch (JsonException error)
        {
            string place = error.LineNumber is { } line && error.BytePositionInLine is { } at ? $"line {line + 1}, byte {at + 1}" : "";
            int end = error.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
            throw Refuse("the file is not JSON", ("position", place), ("reason", end < 0 ? error.Message : error.Message[..end]));
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
        string found = Found(document.RootElement);
        document.Dispose();
        throw Refuse("the file is not a JSON object", ("found", found));
    }

    /// <summary>The complaint about one member.</summary>
    /// <param name="member">Where: <c>rules[2].min_snr</c>.</param>
    public UserErrorException RefuseMember(string member, string found, string expected) =>
        Refuse($"{DisplayText.Escape(member)} cannot be used", ("member", member), ("found", found), ("expected", expected));

    /// <summary>Any complaint about the file.</summary>
    public UserErrorException Refuse(string summary, params IReadOnlyList<(string Label, string Value)> facts) =>
        new(ExitCode.Usage, code, $"{DisplayText.Escape(Path.GetFileName(path))}: {summary}")
        {
            File = path,
            Facts = facts,
            Action = action,
        };

    /// <summary>The members of an object.</summary>
    /// <exception cref="UserErrorException">It is no object, or a member is there twice: readers disagree on which one counts.</exception>
    public Dictionary<string, JsonElement> Members(JsonElement element, string place)
    {
        if (element.ValueKind != JsonValueKind.Object) throw RefuseMember(place, Found(element), "an object");
        Dictionary<string, JsonElement> members = new(StringComparer.Ordinal);
        foreach (JsonProperty member in element.EnumerateObject())
        {
            if (!members.TryAdd(NameOf(member, place), member.Value)) throw RefuseMember(Join(place, member.Name), "twice", "once");
        }

        return members;
    }

    /// <summary>The text of a string.</summary>
    public string Text(JsonElement element, string place)
    {
        if (element.ValueKind != JsonValueKind.String) throw RefuseMember(place, Found(element), "a string");
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw RefuseMember(place, "an unpaired surrogate escape", "a string");
        }
    }

    /// <summary>The path of a member of an object at a path.</summary>
    public static string Join(string place, string name) => place.Length == 0 ? name : $"{place}.{name}";

    /// <summary>A value in words, cut when it is long.</summary>
    public static string Found(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.Undefined => "nothing",
        _ => DisplayText.Escape(element.GetRawText()),
    };

    private string NameOf(JsonProperty member, string place)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            throw RefuseMember(place, "a name with an unpaired surrogate escape", "member names in Unicode");
        }
    }
}
