using System.Collections;

namespace Bnb.Engine.Policy.SkipLists;

/// <summary>Entries by text, with their lengths, so that a piece of a name is hashed only when an entry has its length.</summary>
internal sealed class EntrySet : IEnumerable<string>
{
    private readonly HashSet<string> _texts = new(StringComparer.Ordinal);
    private readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> _spans;
    // Ascending, without repetition.
    private int[] _lengths = [];

    /// <summary>Starts with the given entries.</summary>
    public EntrySet(IEnumerable<string> entries)
    {
        _spans = _texts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (string entry in entries) Add(entry);
    }

    /// <summary>Number of entries.</summary>
    public int Count => _texts.Count;

    /// <summary>Adds one entry.</summary>
    public void Add(string entry)
    {
        _texts.Add(entry);
        if (_lengths.AsSpan().Contains(entry.Length)) return;
        int at = 0;
        while (at < _lengths.Length && _lengths[at] < entry.Length) at++;
        _lengths = [.. _lengths.AsSpan(0, at), entry.Length, .. _lengths.AsSpan(at)];
    }

    /// <summary>Whether the text is an entry.</summary>
    public bool Contains(ReadOnlySpan<char> text) => _lengths.AsSpan().Contains(text.Length) && _spans.Contains(text);

    /// <summary>Whether the text ends with an entry.</summary>
    public bool HasSuffixOf(ReadOnlySpan<char> text)
    {
        foreach (int length in _lengths)
        {
            if (length > text.Length) return false;
            if (_spans.Contains(text[^length..])) return true;
        }

        return false;
    }

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator() => _texts.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
