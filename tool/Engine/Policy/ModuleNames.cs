using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Policy.SkipLists;

namespace Bnb.Engine.Policy;

/// <summary>
/// All names under which a consumer knows a module of the checkpoint. Loaders rename tensors but compare their lists with
/// their own module names, so a list must be right under all of them: those of the atlas where it knows the tensor, else
/// those that consumers usually have.
/// </summary>
internal sealed class ModuleNames
{
    private readonly KnownModel _model;
    private readonly NameAliases _aliases;
    private readonly bool _multimodal;

    // All experts of a block share a layer.
    private readonly Dictionary<string, VllmLayer> _experts = new(StringComparer.Ordinal);

    /// <summary>Chooses the renamings that apply to the model.</summary>
    public ModuleNames(ModelFacts facts, KnownModel model)
    {
        _model = model;
        Groups = FusedGroups.Of(model);
        _aliases = new NameAliases(facts, Groups);
        _multimodal = FamilyCatalog.IsMultimodal(facts);
    }

    /// <summary>The atlas has the class of the whole model, and so its heads.</summary>
    public bool IsKnown => _model.Whole is not null;

    /// <summary>No other loader than transformers 5 has the model.</summary>
    public bool IsOfTransformers5Only =>
        _model is { Whole.Loaders: [Loader.Transformers5], Vllm: null };

    /// <summary>What vLLM fuses in this model.</summary>
    public FusedGroups Groups { get; }

    /// <summary>The names of a module, its own first, without duplicates; fused layers by the fused name too.</summary>
    public IReadOnlyList<string> Of(ModuleName module, KnownTensor? known)
    {
        List<string> names = Plain(module, known);
        if (known is null) return names;
        // Experts are fused differently and asked for by their own path.
        if (module.IndexOf("experts") >= 0) return names;
        foreach ((FusedGroup group, string part) in Groups.Holding(names[^1])) AddNew(names, group.FusedName(names[^1], part));
        return names;
    }

    /// <summary>
    /// The names by which readers of an ignore list ask: without those of fused layers, and with the parts that vLLM asks about
    /// together with a part, absent ones too: a layer may share its neighbour's keys and have a <c>q_proj</c> only.
    /// </summary>
    public IReadOnlyList<string> Ignored(ModuleName module, KnownTensor? known) => Asked(module, known);

    private List<string> Asked(ModuleName module, KnownTensor? known)
    {
        List<string> names = Plain(module, known);
        // vLLM keeps the head of a multimodal model below its text model, whatever the checkpoint does.
        bool head = _multimodal && _model.Vllm is null && module.Components.Count == 1 && FamilyCatalog.Heads.Contains(module.Leaf);
        if (head) AddNew(names, [.. _aliases.Of(new ModuleName("language_model." + module.Path))]);
        return names;
    }

    /// <summary>The same with the parts that vLLM asks about together with each.</summary>
    public IReadOnlyList<string> IgnoredWithParts(ModuleName module, KnownTensor? known)
    {
        List<string> names = Asked(module, known);
        for (int i = names.Count - 1; i >= 0; i--)
        {
            ReadOnlySpan<char> block = VllmLayer.ExpertsBlock(names[i]);
            IEnumerable<VllmLayer> layers = block.IsEmpty ? VllmLayer.Of(names[i], Groups) : [Experts(block)];
            foreach (VllmLayer layer in layers)
                foreach (string part in layer.Parts) AddNew(names, part);
        }

        return names;
    }

    private VllmLayer Experts(ReadOnlySpan<char> block)
    {
        Dictionary<string, VllmLayer>.AlternateLookup<ReadOnlySpan<char>> known = _experts.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!known.TryGetValue(block, out VllmLayer? layer)) known[block] = layer = VllmLayer.OfExperts(block.ToString());
        return layer;
    }

    /// <summary>
    /// The names by which vLLM asks about experts stored as one tensor. Without <c>experts</c> in the name, vLLM's block
    /// stands beside the tensor's module (Granite's <c>input_linear</c>). None for names too long to be a module's.
    /// </summary>
    public IReadOnlyList<string> OfFusedExperts(string tensor)
    {
        const string Word = "experts";
        int at = tensor.IndexOf(Word + ".", StringComparison.Ordinal);
        string module = ModuleName.PathOfWeight(tensor) ?? tensor;
        int dot = module.LastIndexOf('.');
        string block = at >= 0 ? tensor[..(at + Word.Length)] : module[..(dot + 1)] + Word;
        List<string> names = [];
        if (block.Length > ModuleName.LongestPath) return names;
        IEnumerable<string> blocks = _model.Vllm?.Rename(block) is string own ? [own] : _aliases.Of(new ModuleName(block));
        foreach (string name in blocks) AddNew(names, [.. VllmLayer.OfExperts(name).Parts]);
        return names;
    }

    /// <summary>The names of a module that loaders build although the file has none of its tensors.</summary>
    public IReadOnlyList<string> OfUnsaved(string module)
    {
        if (_model.Whole is null) return IgnoredWithParts(new ModuleName(module), null);
        List<string> names = [module];
        if (_model.Vllm?.Rename(module) is string renamed) AddNew(names, renamed);
        return names;
    }

    // vLLM's name stands last.
    private List<string> Plain(ModuleName module, KnownTensor? known)
    {
        if (known is null)
        {
            List<string> usual = [.. _aliases.Of(module)];
            if (_model.Vllm?.Rename(module.Path) is string renamed) AddNew(usual, renamed);
            return usual;
        }

        var names = new List<string>(1) { module.Path };
        for (int i = 0; i < known.Facts.Kinds.Count; i++)
        {
            if (known.Facts.Kinds[i] is not (LayerKind.Linear or LayerKind.Kept or LayerKind.Subclass)) continue;
            string inMemory = known.MemoryName(i);
            if (!ReferenceEquals(inMemory, known.Name) && ModuleName.PathOfWeight(inMemory) is string path) AddNew(names, path);
        }

        if (_model.Vllm?.Rename(module.Path) is string vllm)
        {
            names.Remove(vllm);
            names.Add(vllm);
        }

        return names;
    }

    private static void AddNew(List<string> names, params ReadOnlySpan<string> more)
    {
        foreach (string name in more)
            if (!names.Contains(name)) names.Add(name);
    }
}
