using Bnb.Engine.Architectures;
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
    private readonly FusedGroups _groups;

    /// <summary>Chooses the renamings that apply to the model.</summary>
    public NameAliases(ModelFacts facts, FusedGroups groups)
    {
        _groups = groups;
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
    private void AddFused(ModuleName module, List<string> names)
    {
        if (module.IndexOf("experts") >= 0) return;
        foreach ((FusedGroup group, string part) in _groups.Holding(module.Path))
        {
            for (int i = names.Count - 1; i >= 0; i--)
                if (FusedGroup.EndsWith(names[i], part)) Add(names, group.FusedName(names[i], part));
        }
    }

    private static string? Rest(string path, string prefix) =>
        path.Length > prefix.Length && path.StartsWith(prefix, StringComparison.Ordinal) ? path[prefix.Length..] : null;

    private static void Add(List<string> names, params ReadOnlySpan<string> more)
    {
        foreach (string name in more)
            if (!names.Contains(name)) names.Add(name);
    }
}
