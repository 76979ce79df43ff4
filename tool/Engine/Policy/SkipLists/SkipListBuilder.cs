using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy.SkipLists;

/// <summary>
/// Chooses entries that cover names without touching a quantized one. An entry that is the leaf or a dotted prefix of a name
/// covers it in every consumer; a single inner component does so together with <see cref="SkipEntry.InnerComponent"/>.
/// Those are the only forms used: v4 and vLLM compare text and v5 compiles the same text, so there is no entry that v4 and
/// vLLM read as one exact module and v5 reads as nothing more than it.
/// </summary>
internal sealed class SkipListBuilder
{
    // Beyond this a name's inner prefixes are not tried; the full path always is.
    private const int DeepestPrefix = 32;
    private const int MostEntries = 20_000;
    private readonly NameTree _quantized;
    private readonly EntrySet _entries = new([]);
    private readonly Dictionary<string, bool> _harmless = new(StringComparer.Ordinal);

    /// <summary>Starts an empty list.</summary>
    /// <param name="quantized">Every name of every quantized module.</param>
    public SkipListBuilder(NameTree quantized) => _quantized = quantized;

    /// <summary>The entries so far, sorted.</summary>
    public IReadOnlyList<string> Entries => [.. _entries.Order(StringComparer.Ordinal)];

    /// <summary>Adds an entry unless it would touch a quantized module. Returns whether it was added.</summary>
    public bool TryAdd(string entry)
    {
        if (!IsHarmless(entry)) return false;
        AddEntry(entry);
        return true;
    }

    /// <summary>Adds an entry that is known to touch no quantized module.</summary>
    public void AddChecked(string entry) => AddEntry(entry);

    /// <summary>
    /// Covers one name. Returns false when even its full path touches a quantized module or cannot be written as an entry.
    /// </summary>
    public bool TryCover(string name, string? hint)
    {
        if (IsCovered(name)) return true;
        string[] parts = name.Split('.');
        return TryHint(parts, name, hint)
            || TryPrefix(parts, name, 1, 2)
            || TryAdd(parts[^1])
            || TryInnerWord(parts, name)
            || TryPrefix(parts, name, 3, DeepestPrefix)
            || TryAdd(name);
    }

    private bool IsCovered(string name)
    {
        int dot = name.LastIndexOf('.');
        if (_entries.Contains(name.AsSpan(dot + 1))) return true;
        bool singleLine = !name.Contains('\n', StringComparison.Ordinal);
        int start = 0;
        while (true)
        {
            int length = name.AsSpan(start).IndexOf('.');
            int end = length < 0 ? name.Length : start + length;
            if (_entries.Contains(name.AsSpan(0, end))) return true;
            if (length < 0) return false;
            ReadOnlySpan<char> part = name.AsSpan(start, end - start);
            bool isWord = singleLine && _entries.Contains(part);
            if (isWord && _entries.Contains(SkipEntry.InnerComponent(part.ToString()))) return true;
            start = end + 1;
        }
    }

    private bool TryHint(string[] parts, string name, string? hint)
    {
        if (hint is null) return false;
        int at = Array.IndexOf(parts, hint);
        if (at < 0) return false;
        if (at == parts.Length - 1) return TryAdd(hint);
        return at <= 1 ? TryPrefix(parts, name, at + 1, at + 1) : TryInner(hint, name);
    }

    // A word below a layer's number saves an entry per layer. The number itself would mean a layer here and an expert there.
    private bool TryInnerWord(string[] parts, string name)
    {
        int number = Array.FindIndex(parts, static part => IsNumber(part));
        if (number < 0) return false;
        for (int i = Math.Min(parts.Length, DeepestPrefix) - 2; i > number; i--)
            if (!IsNumber(parts[i]) && TryInner(parts[i], name)) return true;

        return false;
    }

    private static bool IsNumber(string part) => part.Length > 0 && char.IsAsciiDigit(part[0]);

    private bool TryInner(string word, string name)
    {
        if (name.Contains('\n', StringComparison.Ordinal) || !IsHarmless(word) || _quantized.IsTouchedByInner(word)) return false;
        AddEntry(word);
        AddEntry(SkipEntry.InnerComponent(word));
        return true;
    }

    private bool TryPrefix(string[] parts, string name, int fewest, int most)
    {
        int end = -1;
        for (int count = 1; count <= Math.Min(most, parts.Length - 1); count++)
        {
            end += 1 + parts[count - 1].Length;
            if (count >= fewest && TryAdd(name[..end])) return true;
        }

        return false;
    }

    private bool IsHarmless(string entry)
    {
        if (_harmless.TryGetValue(entry, out bool known)) return known;
        bool harmless = SkipEntry.IsUsable(entry) && !_quantized.IsTouchedBy(entry);
        return _harmless[entry] = harmless;
    }

    private void AddEntry(string entry)
    {
        _entries.Add(entry);
        if (_entries.Count > MostEntries)
            PolicyException.ThrowSkipConflict($"the skip list would need more than {MostEntries} entries", [entry]);
    }
}
