using System.Text;

namespace Bnb.Engine.Policy.SkipLists;

/// <summary>
/// Literal entries as a tree of code points, to answer Python's <c>re.match</c> for all of them in one walk over the name:
/// a dot in an entry stands for any code point except a newline. Not thread-safe.
/// </summary>
internal sealed class EntryPrefixTree
{
    private readonly Dictionary<long, int> _edges = [];
    private readonly HashSet<int> _entries = [];
    private int _nodes = 1;

    // Nodes reached so far, and those one code point further: kept between names, of which there may be a hundred thousand.
    private readonly List<int> _active = [];
    private readonly List<int> _next = [];

    /// <summary>Adds an entry without regex syntax.</summary>
    public void Add(string entry)
    {
        int node = 0;
        foreach (Rune rune in entry.EnumerateRunes())
        {
            long key = Key(node, rune.Value);
            if (!_edges.TryGetValue(key, out int next))
            {
                next = _nodes++;
                _edges.Add(key, next);
            }

            node = next;
        }

        _entries.Add(node);
    }

    /// <summary>
    /// Whether some entry matches at the start of <paramref name="name"/>; when <paramref name="anchored"/>, only if it ends with a
    /// dot, or a dot, the end, or a newline at the end (Python's <c>$</c>) follows.
    /// </summary>
    public bool IsPrefixOf(string name, bool anchored)
    {
        (List<int> active, List<int> next) = (_active, _next);
        active.Clear();
        active.Add(0);
        int position = 0;
        foreach (Rune rune in name.EnumerateRunes())
        {
            if (Accepts(active, name, position, anchored)) return true;
            next.Clear();
            foreach (int node in active)
            {
                if (_edges.TryGetValue(Key(node, rune.Value), out int literal)) next.Add(literal);
                if (rune.Value is '.' or '\n') continue;
                if (_edges.TryGetValue(Key(node, '.'), out int wildcard)) next.Add(wildcard);
            }

            if (next.Count == 0) return false;
            (active, next) = (next, active);
            position += rune.Utf16SequenceLength;
        }

        return Accepts(active, name, name.Length, anchored);
    }

    private bool Accepts(List<int> active, string name, int position, bool anchored)
    {
        bool boundary = !anchored || position == name.Length || name[position] == '.' || (position > 0 && name[position - 1] == '.')
            || (name[position] == '\n' && position == name.Length - 1);
        if (!boundary) return false;
        foreach (int node in active)
            if (_entries.Contains(node)) return true;

        return false;
    }

    private static long Key(int node, int codePoint) => ((long)node << 21) | (uint)codePoint;
}
