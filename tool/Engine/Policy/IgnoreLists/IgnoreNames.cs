using Bnb.Engine.Policy.Names;
using Bnb.Engine.Policy.SkipLists;

namespace Bnb.Engine.Policy.IgnoreLists;

/// <summary>
/// All names under which some reader asks about a module. Entries are compared as a whole, so a copied module is listed
/// under every one of them, and none of a quantized module's may be listed.
/// </summary>
internal sealed class IgnoreNames
{
    private readonly NameAliases _aliases;
    private readonly bool _multimodal;

    /// <summary>Chooses the renamings that apply to the model.</summary>
    public IgnoreNames(ModelFacts facts)
    {
        _aliases = new NameAliases(facts);
        _multimodal = FamilyCatalog.IsMultimodal(facts);
    }

    /// <summary>The names of the module itself, its own first.</summary>
    public IReadOnlyList<string> Of(string module)
    {
        IReadOnlyList<string> names = _aliases.Of(new ModuleName(module));
        // vLLM keeps the head of a multimodal model below its text model, whatever the checkpoint does.
        bool head = _multimodal && !module.Contains('.', StringComparison.Ordinal) && FamilyCatalog.Heads.Contains(module);
        return head ? [.. names.Union(_aliases.Of(new ModuleName("language_model." + module)), StringComparer.Ordinal)] : names;
    }

    /// <summary>
    /// The module's names, and for each the parts that vLLM asks about together with it, absent ones too: a layer may
    /// share its neighbour's keys and have a <c>q_proj</c> only.
    /// </summary>
    public IReadOnlyList<string> WithParts(string module)
    {
        List<string> names = [.. Of(module)];
        for (int i = names.Count - 1; i >= 0; i--)
            if (VllmLayer.Of(names[i]) is { } layer) AddNew(names, layer.Parts);

        return names;
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
        foreach (string name in Of(block)) AddNew(names, VllmLayer.OfExperts(name).Parts);
        return names;
    }

    private static void AddNew(List<string> names, IEnumerable<string> more)
    {
        foreach (string name in more)
            if (!names.Contains(name)) names.Add(name);
    }
}
