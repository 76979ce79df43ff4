using System.Collections;

namespace Bnb.Engine.Policy.SkipLists;

/// <summary>Entries by text, with their lengths, so that a piece of a name is hashed only when an entry has its length.</summary>
internal sealed class EntrySet : IEnumerable<string>
{
    private readonly HashSet<string> _texts = new(StringComparer.Ordinal);
    private readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> _spans;
    // Ascending, without repetition.
    private int[] _lengths = [];
    // Which last characters, modulo 64, the entries of each length have: most names end like none of them.
    private ulong[] _ends = [];

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
        int at = 0;
        while (at < _lengths.Length && _lengths[at] < entry.Length) at++;
        if (at == _lengths.Length || _lengths[at] > entry.Length)
        {
            _lengths = [.. _lengths.AsSpan(0, at), entry.Length, .. _lengths.AsSpan(at)];
            _ends = [.. _ends.AsSpan(0, at), 0, .. _ends.AsSpan(at)];
        }

        _ends[at] |= EndOf(entry);
    }

    /// <summary>Whether the text is an entry.</summary>
    public bool Contains(ReadOnlySpan<char> text) => _lengths.AsSpan().Contains(text.Length) && _spans.Contains(text);

    /// <summary>Whether the text ends with an entry.</summary>
    public bool HasSuffixOf(ReadOnlySpan<char> text)
    {
        ulong end = EndOf(text);
        for (int i = 0; i < _lengths.Length; i++)
        {
            if (_lengths[i] > text.Length) return false;
            if ((_ends[i] & end) != 0 && _spans.Contains(text[^_lengths[i]..])) return true;
        }

        return false;
    }

    // The empty entry ends every text.
    private static ulong EndOf(ReadOnlySpan<char> text) => text.IsEmpty ? ulong.MaxValue : 1UL << (text[^1] & 63);

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator() => _texts.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
