using System.Text.Json;

namespace Bnb.Formats.Json;

/// <summary>Members of an object by the JSON type that is wanted; null for any other.</summary>
internal static class JsonRead
{
    public static string? Text(JsonElement parent, string member) =>
        parent.TryGetProperty(member, out JsonElement value) ? Text(value) : null;

    public static bool? Flag(JsonElement parent, string member) =>
        !parent.TryGetProperty(member, out JsonElement value) ? null
        : value.ValueKind is JsonValueKind.True ? true
        : value.ValueKind is JsonValueKind.False ? false
        : null;

    /// <summary>A list of texts; null when any item is something else.</summary>
    public static IReadOnlyList<string>? Texts(JsonElement parent, string member)
    {
        if (!parent.TryGetProperty(member, out JsonElement value) || value.ValueKind != JsonValueKind.Array) return null;
        List<string?> items = [.. value.EnumerateArray().Select(Text)];
        return items.Contains(null) ? null : [.. items.OfType<string>()];
    }

    private static string? Text(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String) return null;
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            // An escaped lone surrogate: no such text means anything here.
            return null;
        }
    }
}
