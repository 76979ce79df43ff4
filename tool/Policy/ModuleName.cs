namespace Bnb.Tool.Policy;

/// <summary>A dotted module path, split once. Components may be empty: names come from untrusted files.</summary>
internal sealed class ModuleName
{
    private const string WeightSuffix = ".weight";

    /// <summary>Splits <paramref name="path"/>.</summary>
    public ModuleName(string path)
    {
        Path = path;
        Components = path.Split('.');
    }

    /// <summary>Full dotted path.</summary>
    public string Path { get; }

    /// <summary>Path split at the dots; never empty.</summary>
    public IReadOnlyList<string> Components { get; }

    /// <summary>Last component.</summary>
    public string Leaf => Components[^1];

    /// <summary>Path without the leaf and its dot; empty for a top-level module.</summary>
    public string Parent => Path.Length == Leaf.Length ? "" : Path[..(Path.Length - Leaf.Length - 1)];

    /// <summary>Position of <paramref name="component"/> or -1.</summary>
    public int IndexOf(string component)
    {
        for (int i = 0; i < Components.Count; i++)
            if (Components[i] == component) return i;

        return -1;
    }

    /// <summary>The module a <c>.weight</c> belongs to, or null for other tensors and for a weight of the root module.</summary>
    public static string? PathOfWeight(string tensorName) =>
        tensorName.Length > WeightSuffix.Length && tensorName.EndsWith(WeightSuffix, StringComparison.Ordinal)
            ? tensorName[..^WeightSuffix.Length]
            : null;
}
