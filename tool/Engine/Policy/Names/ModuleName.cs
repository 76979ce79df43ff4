namespace Bnb.Engine.Policy.Names;

/// <summary>A dotted module path, split when somebody asks for its components. Components may be empty: names come from untrusted files.</summary>
internal sealed class ModuleName
{
    /// <summary>
    /// Far beyond any real model, in characters. It bounds the work that a hostile header can cause in the skip list's searches.
    /// </summary>
    public const int LongestPath = 512;

    private const int MostComponents = 64;
    private const string WeightSuffix = ".weight";

    private string[]? _components;
    private string? _leaf;

    /// <summary>Takes a path.</summary>
    public ModuleName(string path) => Path = path;

    /// <summary>Full dotted path.</summary>
    public string Path { get; }

    /// <summary>Path split at the dots; never empty.</summary>
    public IReadOnlyList<string> Components => _components ??= Path.Split('.');

    /// <summary>Last component.</summary>
    public string Leaf => _leaf ??= Path[(Path.LastIndexOf('.') + 1)..];

    /// <summary>Path without the leaf and its dot; empty for a top-level module.</summary>
    public string Parent => Path[..Math.Max(0, Path.LastIndexOf('.'))];

    /// <summary>Position of <paramref name="component"/> or -1.</summary>
    public int IndexOf(string component)
    {
        int index = 0;
        foreach (Range part in Path.AsSpan().Split('.'))
        {
            if (Path.AsSpan(part).SequenceEqual(component)) return index;
            index++;
        }

        return -1;
    }

    /// <summary>The path before a component, without the dot between them; false when there is no such component.</summary>
    public bool TryGetBefore(string component, out ReadOnlySpan<char> before)
    {
        foreach (Range part in Path.AsSpan().Split('.'))
        {
            if (!Path.AsSpan(part).SequenceEqual(component)) continue;
            before = Path.AsSpan(0, Math.Max(0, part.Start.Value - 1));
            return true;
        }

        before = [];
        return false;
    }

    /// <summary>
    /// The module a <c>.weight</c> belongs to; null for other tensors, for a weight of the root module, and for names that
    /// are too long or too deep to be a module's.
    /// </summary>
    public static string? PathOfWeight(string tensorName)
    {
        int length = tensorName.Length - WeightSuffix.Length;
        if (length is <= 0 or > LongestPath || !tensorName.EndsWith(WeightSuffix, StringComparison.Ordinal)) return null;
        return tensorName.AsSpan(0, length).Count('.') < MostComponents ? tensorName[..length] : null;
    }

    /// <summary>The name without the ending <c>.weight</c>, whatever its length; the same string when it has another one.</summary>
    public static string WithoutWeight(string tensorName) =>
        tensorName.EndsWith(WeightSuffix, StringComparison.Ordinal) ? tensorName[..^WeightSuffix.Length] : tensorName;
}
