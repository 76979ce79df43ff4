namespace Bnb.Engine.Architectures;

/// <summary>
/// Finds out which weights a stack of experts stands for. Two sources: where transformers 5 fuses the experts of a checkpoint when
/// it loads, the atlas has both names, and the stack is [experts, out, in] with the rows of gate before those of up; the few
/// families that are published as stacks and that vLLM also reads one by one stand here.
/// </summary>
internal sealed class ExpertStacks
{
    private const string Experts = "experts.";
    private const string Numbered = "experts.*.";
    private const string GateUp = "gate_up_proj";
    private const string Down = "down_proj";

    // Published as [experts, in, out] (Qwen3-VL also as [experts, out, in]); vLLM's loaders of them read both forms.
    private static readonly HashSet<string> Published = new(StringComparer.Ordinal) { "llama4", "llama4_text", "qwen3_vl_moe", "qwen3_vl_moe_text" };

    // Gate and up take turns in their columns or rows.
    private static readonly HashSet<string> Interleaved = new(StringComparer.Ordinal)
    {
        "gpt_oss", "openai_privacy_filter", "inkling_text", "inkling2", "inkling2_text", "inkling_mm_model",
    };

    private readonly KnownModel _known;
    private readonly Dictionary<ModelClass, Dictionary<string, List<SavedTensor>>> _fused = [];
    private readonly Dictionary<ModelClass, Dictionary<string, string?>> _saved = [];

    /// <param name="known">The model that the tensors are of.</param>
    public ExpertStacks(KnownModel known) => _known = known;

    /// <summary>Whether the model's stacks have gate and up in turns, which no loader reads one by one.</summary>
    public bool IsInterleaved => _known.Parts.Any(static part => part.Class.ModelType is { } type && Interleaved.Contains(type));

    /// <summary>What the tensor of this name stands for; null when no class says.</summary>
    public ExpertStack? Find(string name)
    {
        foreach (KnownPart part in _known.Parts)
        {
            if (part.OwnName(name) is string own && Find(part, own, name) is { } stack) return stack;
        }

        return null;
    }

    /// <summary>
    /// The saved name of a tensor that bears the name it has in the memory of transformers 5; null when there is none, or two.
    /// </summary>
    public string? SavedName(string name)
    {
        foreach (KnownPart part in _known.Parts)
        {
            if (part.OwnName(name) is not string own || !SavedNames(part.Class).TryGetValue(NumberedName.Pattern(own), out string? pattern) || pattern is null) continue;
            return InFile(part, NumberedName.Fill(pattern, NumberedName.Numbers(own)));
        }

        return null;
    }

    /// <summary>Whether the name is that of a tensor in the memory of transformers 5 which it makes of several saved ones.</summary>
    public bool IsMerged(string name) => _known.Parts.Any(part =>
        part.OwnName(name) is string own && SavedNames(part.Class).TryGetValue(NumberedName.Pattern(own), out string? pattern) && pattern is null);

    private ExpertStack? Find(KnownPart part, string own, string name)
    {
        int at = own.LastIndexOf(Experts, StringComparison.Ordinal);
        if (at < 0 || (at > 0 && own[at - 1] != '.')) return null;
        string leaf = own[(at + Experts.Length)..], block = own[..at];
        string storedBlock = name[..^(Experts.Length + leaf.Length)];
        if (Fused(part.Class).TryGetValue(NumberedName.Pattern(own), out List<SavedTensor>? weights))
        {
            List<string> ends = [.. weights.Select(static weight => End(weight.Pattern)).OrderBy(Place)];
            // One name alone, or gate and up in that order: what else there may be is not known to be one below the other.
            if (ends.Count > 2 || (ends.Count == 2 && (Place(ends[0]), Place(ends[1])) != (0, 1))) return null;
            string savedBlock = weights[0].Pattern[..weights[0].Pattern.LastIndexOf(Numbered, StringComparison.Ordinal)];
            return new ExpertStack(InFile(part, NumberedName.Fill(savedBlock, NumberedName.Numbers(block))), storedBlock, leaf, ends, part.Class) { Facts = weights[0] };
        }

        if (part.Class.ModelType is not { } type || !Published.Contains(type) || leaf is not (GateUp or Down)) return null;
        return part.Class.Find(NumberedName.Pattern(own)) is null
            ? null
            : new ExpertStack(storedBlock, storedBlock, leaf, leaf == Down ? ["down_proj.weight"] : ["gate_proj.weight", "up_proj.weight"], part.Class);
    }

    /// <summary>The weights of each stack of a class, by the stack's pattern in memory and by the one it has below the saved block.</summary>
    private Dictionary<string, List<SavedTensor>> Fused(ModelClass model)
    {
        if (_fused.TryGetValue(model, out Dictionary<string, List<SavedTensor>>? fused)) return fused;
        _fused[model] = fused = new(StringComparer.Ordinal);
        int newest = model.IndexOf(Loader.Transformers5);
        foreach ((string pattern, SavedTensor facts) in model.Tensors)
        {
            int at = pattern.LastIndexOf(Numbered, StringComparison.Ordinal);
            if (newest < 0 || at < 0 || facts.Kinds[newest] != LayerKind.Expert || facts.MemoryNames[newest] is not { } memory) continue;
            int leaf = memory.LastIndexOf(Experts, StringComparison.Ordinal);
            if (leaf < 0) continue;
            string below = pattern[..at] + memory[leaf..];
            Add(memory, facts);
            if (below != memory) Add(below, facts);
        }

        return fused;

        void Add(string stack, SavedTensor facts)
        {
            if (!fused.TryGetValue(stack, out List<SavedTensor>? weights)) fused[stack] = weights = [];
            weights.Add(facts);
        }
    }

    private Dictionary<string, string?> SavedNames(ModelClass model)
    {
        if (_saved.TryGetValue(model, out Dictionary<string, string?>? saved)) return saved;
        _saved[model] = saved = new(StringComparer.Ordinal);
        int newest = model.IndexOf(Loader.Transformers5);
        foreach ((string pattern, SavedTensor facts) in model.Tensors)
        {
            if (newest < 0 || facts.MemoryNames[newest] is not { } memory) continue;
            // Two that become one have no way back.
            saved[memory] = saved.ContainsKey(memory) ? null : pattern;
        }

        return saved;
    }

    private static string InFile(KnownPart part, string own) =>
        part.Prefix + (own.StartsWith(part.Added, StringComparison.Ordinal) ? own[part.Added.Length..] : own);

    private static string End(string pattern) => pattern[(pattern.LastIndexOf(Numbered, StringComparison.Ordinal) + Numbered.Length)..];

    private static int Place(string end) => end switch
    {
        "gate_proj.weight" or "w1.weight" => 0,
        "up_proj.weight" or "w3.weight" => 1,
        _ => 2,
    };
}
