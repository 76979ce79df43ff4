using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy.SkipLists;

/// <summary>
/// The names under which a consumer may know a module of the checkpoint. Loaders rename checkpoint keys but compare the skip
/// list with their own module names, so the list must be right under all of them.
/// </summary>
internal sealed class NameAliases
{
    private readonly string _basePrefix;
    private readonly bool _multimodal;

    /// <summary>Chooses the renamings that apply to the model.</summary>
    public NameAliases(ModelFacts facts)
    {
        _basePrefix = FamilyCatalog.BaseModelPrefix(facts.ModelType) + ".";
        _multimodal = FamilyCatalog.IsMultimodal(facts);
    }

    /// <summary>The name itself and every alias, without duplicates, in a fixed order.</summary>
    public IReadOnlyList<string> Of(ModuleName module)
    {
        List<string> names = [module.Path];
        AddPrefixes(module.Path, names);
        AddRouters(names);
        AddFused(module, names);
        return names;
    }

    private void AddPrefixes(string path, List<string> names)
    {
        if (Rest(path, "language_model.model.") is string inner)
        {
            Add(names, "model.language_model." + inner, "model." + inner, inner);
        }
        else if (Rest(path, "model.language_model.") is string renamed)
        {
            Add(names, "language_model.model." + renamed, "language_model." + renamed, "model." + renamed, renamed);
        }
        else if (Rest(path, "language_model.") is string text)
        {
            Add(names, "model.language_model." + text, text);
        }
        else if (Rest(path, "model.") is string bare)
        {
            Add(names, bare);
            int dot = bare.IndexOf('.', StringComparison.Ordinal);
            bool tower = FamilyCatalog.Towers.Contains(dot < 0 ? bare : bare[..dot]);
            if (_multimodal && !tower) Add(names, "model.language_model." + bare, "language_model.model." + bare);
        }
        else
        {
            Add(names, "model." + path);
            if (_basePrefix != "model.") Add(names, Rest(path, _basePrefix) ?? _basePrefix + path);
        }
    }

    // Mixtral's sparse block is called mlp in transformers 5.
    private static void AddRouters(List<string> names)
    {
        for (int i = names.Count - 1; i >= 0; i--)
        {
            if (names[i].Contains(".block_sparse_moe.", StringComparison.Ordinal))
                Add(names, names[i].Replace(".block_sparse_moe.", ".mlp.", StringComparison.Ordinal));
            else if (names[i].EndsWith(".mlp.gate", StringComparison.Ordinal))
                Add(names, names[i][..^"mlp.gate".Length] + "block_sparse_moe.gate");
        }
    }

    // vLLM asks for the name of the fused module; experts are fused differently and asked for by their own path.
    private static void AddFused(ModuleName module, List<string> names)
    {
        if (FusedGroups.FusedLeaf(module.Leaf) is not string fused || module.IndexOf("experts") >= 0) return;
        for (int i = names.Count - 1; i >= 0; i--)
            Add(names, names[i][..^module.Leaf.Length] + fused);
    }

    private static string? Rest(string path, string prefix) =>
        path.Length > prefix.Length && path.StartsWith(prefix, StringComparison.Ordinal) ? path[prefix.Length..] : null;

    private static void Add(List<string> names, params ReadOnlySpan<string> more)
    {
        foreach (string name in more)
            if (!names.Contains(name)) names.Add(name);
    }
}
