using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy.SkipLists;

/// <summary>
/// All names of quantized modules as a tree of components. It answers whether a possible skip entry would touch any of them
/// in any consumer, without comparing the entry with every name. Sound: it never says "harmless" wrongly.
/// </summary>
internal sealed class NameTree
{
    // Only hostile names come near it: an ordinary query visits a few hundred nodes.
    private const long MostSteps = 400_000_000;
    private readonly Dictionary<string, int> _componentIds = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _componentSpans;
    private readonly List<string> _components = [];
    private readonly List<List<int>> _nodesOfComponent = [];
    private readonly Dictionary<long, int> _edges = [];
    private readonly List<Node> _nodes = [new(-1, -1)];
    private readonly SuffixSet _leaves;
    private readonly SuffixSet _inner;
    private readonly HashSet<string> _innerBelowFirst = new(StringComparer.Ordinal);
    // The way of the name before: neighbours share most of it.
    private readonly List<int> _way = [];
    private string _last = "";
    private long _steps;

    /// <summary>Builds the tree; the order of <paramref name="names"/> does not matter.</summary>
    public NameTree(IEnumerable<string> names)
    {
        _componentSpans = _componentIds.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (string name in names) Insert(name);
        HashSet<string> leaves = new(StringComparer.Ordinal);
        HashSet<string> inner = new(StringComparer.Ordinal);
        foreach (Node node in _nodes)
        {
            if (node.Component < 0) continue;
            string text = _components[node.Component];
            if (node.IsModule) leaves.Add(text);
            if (node.FirstChild < 0) continue;
            inner.Add(text);
            if (node.Parent != 0) _innerBelowFirst.Add(text);
        }

        _leaves = new SuffixSet(leaves);
        _inner = new SuffixSet(inner);
    }

    /// <summary>Whether a literal entry touches a name: the union of v4, v5, v5 anchored (a part of v5) and vLLM.</summary>
    public bool IsTouchedBy(string entry) => entry.Contains('.', StringComparison.Ordinal)
        ? EndsAnyNode(entry) || StartsAnyName(entry)
        : _leaves.AnyEndsWith(entry) || _inner.AnyEndsWith(entry) || StartsAnyName(entry);

    /// <summary>Whether <see cref="SkipEntry.InnerComponent"/> of the word touches a name.</summary>
    public bool IsTouchedByInner(string word) =>
        _innerBelowFirst.Contains(word) || EndsAnyNode(SkipEntry.InnerComponent(word));

    private void Insert(string name)
    {
        ReadOnlySpan<char> shared = name.AsSpan(0, name.AsSpan().CommonPrefixLength(_last));
        int start = shared.LastIndexOf('.') + 1, depth = shared.Count('.');
        _way.RemoveRange(depth, _way.Count - depth);
        while (true)
        {
            int length = name.AsSpan(start).IndexOf('.');
            int end = length < 0 ? name.Length : start + length;
            _way.Add(Child(_way.Count > 0 ? _way[^1] : 0, name.AsSpan(start, end - start)));
            if (length < 0) break;
            start = end + 1;
        }

        _nodes[_way[^1]].IsModule = true;
        _last = name;
    }

    private int Child(int parent, ReadOnlySpan<char> text)
    {
        if (!_componentSpans.TryGetValue(text, out int component))
        {
            component = _components.Count;
            _components.Add(text.ToString());
            _nodesOfComponent.Add([]);
            _componentIds.Add(_components[component], component);
        }

        long key = ((long)parent << 32) | (uint)component;
        if (_edges.TryGetValue(key, out int child)) return child;
        child = _nodes.Count;
        _nodes.Add(new Node(parent, component) { NextSibling = _nodes[parent].FirstChild });
        _nodes[parent].FirstChild = child;
        _nodesOfComponent[component].Add(child);
        _edges.Add(key, child);
        return child;
    }

    // v4's "entry." inside a name (some inner path ends with the entry), v4's equality and v5's endswith (a name does).
    private bool EndsAnyNode(string entry)
    {
        string[] parts = entry.Split('.');
        int[] ids = new int[parts.Length];
        for (int part = 1; part < parts.Length; part++)
            if (!_componentIds.TryGetValue(parts[part], out ids[part])) return false;

        foreach (int candidate in _nodesOfComponent[ids[^1]])
        {
            int node = candidate;
            int part = parts.Length - 1;
            while (part > 0 && node > 0 && _nodes[node].Component == ids[part])
            {
                Step();
                node = _nodes[node].Parent;
                part--;
            }

            Step();
            if (part > 0 || node == 0) continue;
            if (_components[_nodes[node].Component].EndsWith(parts[0], StringComparison.Ordinal)) return true;
        }

        return false;
    }

    // v5's re.match, of which vLLM's dotted prefix is a part. An explicit stack: names may have very many components.
    private bool StartsAnyName(string entry)
    {
        // Pairs of a node and an offset, the offset last.
        List<int> open = [];
        open.Add(0);
        open.Add(0);
        while (open.Count > 0)
        {
            (int node, int from) = (open[^2], open[^1]);
            open.RemoveRange(open.Count - 2, 2);
            for (int child = _nodes[node].FirstChild; child >= 0; child = _nodes[child].NextSibling)
            {
                Step();
                int offset = Consume(entry, from, _components[_nodes[child].Component]);
                if (offset == entry.Length) return true;
                // The dot behind the component must be met by a dot of the entry, which matches it as any character.
                if (offset >= 0 && entry[offset] == '.' && _nodes[child].FirstChild >= 0)
                {
                    if (offset + 1 == entry.Length) return true;
                    open.Add(child);
                    open.Add(offset + 1);
                }
            }
        }

        return false;
    }

    /// <summary>How far the entry gets through one component: the next offset, or -1 when they differ.</summary>
    private static int Consume(string entry, int offset, string component)
    {
        for (int i = 0; i < component.Length; i++)
        {
            if (offset == entry.Length) return offset;
            char value = component[i];
            if (entry[offset] == '.')
            {
                if (value == '\n') return -1;
                if (char.IsHighSurrogate(value) && i + 1 < component.Length && char.IsLowSurrogate(component[i + 1])) i++;
            }
            else if (entry[offset] != value)
            {
                return -1;
            }

            offset++;
        }

        return offset;
    }

    private void Step()
    {
        if (++_steps > MostSteps)
            PolicyException.ThrowSkipConflict("the module names are too entangled to find a skip list in reasonable time", []);
    }

    private sealed class Node(int parent, int component)
    {
        public int Parent { get; } = parent;

        public int Component { get; } = component;

        public int FirstChild { get; set; } = -1;

        public int NextSibling { get; set; } = -1;

        public bool IsModule { get; set; }
    }
}
