using System.Text.Json;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Comparing;

/// <summary>Named values that differ: top-level members of config.json, or keys of the weight files' metadata.</summary>
/// <param name="Changed">In both, with another value.</param>
/// <param name="Added">Only in B.</param>
/// <param name="Removed">Only in A.</param>
internal sealed record TextDiff(IReadOnlyList<string> Changed, IReadOnlyList<string> Added, IReadOnlyList<string> Removed)
{
    public static TextDiff None { get; } = new([], [], []);

    /// <summary>All of several, each with its prefix before the names.</summary>
    public static TextDiff Join(IReadOnlyList<(string Prefix, TextDiff Diff)> parts) => new(
        [.. parts.SelectMany(static part => part.Diff.Changed.Select(name => part.Prefix + name))],
        [.. parts.SelectMany(static part => part.Diff.Added.Select(name => part.Prefix + name))],
        [.. parts.SelectMany(static part => part.Diff.Removed.Select(name => part.Prefix + name))]);

    public bool IsEmpty => Changed.Count + Added.Count + Removed.Count == 0;

    /// <summary>By value: order and white space mean nothing. A missing config has no members.</summary>
    public static TextDiff OfConfigs(ModelConfig? a, ModelConfig? b) => Of(Members(a), Members(b), SameValue);

    /// <summary>Of all files of a checkpoint together; how tensors are spread over files is no difference.</summary>
    public static TextDiff OfMetadata(Checkpoint? a, Checkpoint? b) => Of(Metadata(a), Metadata(b), (x, y) => x.SequenceEqual(y));

    private static TextDiff Of<T>(SortedDictionary<string, T> a, SortedDictionary<string, T> b, Func<T, T, bool> same) => new(
        [.. a.Keys.Where(key => b.TryGetValue(key, out T? other) && !same(a[key], other))],
        [.. b.Keys.Where(key => !a.ContainsKey(key))],
        [.. a.Keys.Where(key => !b.ContainsKey(key))]);

    private static SortedDictionary<string, JsonElement> Members(ModelConfig? config)
    {
        var members = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
        if (config is null) return members;
        foreach (JsonProperty member in config.Root.EnumerateObject()) members[member.Name] = member.Value;
        return members;
    }

    private static bool SameValue(JsonElement a, JsonElement b)
    {
        try
        {
            return JsonElement.DeepEquals(a, b);
        }
        catch (InvalidOperationException)
        {
            // An escaped lone surrogate is no text that could be compared; the spelling can.
            return a.GetRawText() == b.GetRawText();
        }
    }

    private static SortedDictionary<string, SortedSet<string>> Metadata(Checkpoint? checkpoint)
    {
        var all = new SortedDictionary<string, SortedSet<string>>(StringComparer.Ordinal);
        foreach ((string key, string value) in (checkpoint?.Files ?? []).SelectMany(static file => file.Metadata))
        {
            if (!all.TryGetValue(key, out SortedSet<string>? values)) all[key] = values = new SortedSet<string>(StringComparer.Ordinal);
            values.Add(value);
        }

        return all;
    }
}
