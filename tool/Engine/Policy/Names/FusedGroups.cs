using Bnb.Engine.Architectures;

namespace Bnb.Engine.Policy.Names;

/// <summary>
/// vLLM loads several modules of a checkpoint into one layer: q, k and v, gate and up, and others by model. Each of those
/// layers is either quantized or not, so when one member of a group is copied, the others are copied too.
/// </summary>
internal sealed class FusedGroups
{
    private readonly Dictionary<string, List<FusedGroup>> _byLeaf = new(StringComparer.Ordinal);

    /// <summary>Takes the groups of a model.</summary>
    public FusedGroups(IEnumerable<FusedGroup> groups)
    {
        foreach (FusedGroup group in groups)
        {
            foreach (string leaf in group.Parts.Select(Leaf).Distinct(StringComparer.Ordinal))
            {
                if (!_byLeaf.TryGetValue(leaf, out List<FusedGroup>? known)) _byLeaf[leaf] = known = [];
                known.Add(group);
            }
        }
    }

    /// <summary>What most of vLLM's models fuse, for those that are not known.</summary>
    public static FusedGroups Usual { get; } = new(
    [
        new("qkv_proj", ["q_proj", "k_proj", "v_proj"]),
        new("gate_up_proj", ["gate_proj", "up_proj"]),
        new("fused_qkv_a_proj", ["q_a_proj", "kv_a_proj_with_mqa"]),
        new("in_proj_qkvz", ["in_proj_qkv", "in_proj_z"]),
        new("in_proj_ba", ["in_proj_b", "in_proj_a"]),
        new("qkv_proj", ["query", "key", "value"]),
        new("gate_up_proj", ["w1", "w3"]),
    ]);

    /// <summary>
    /// The groups of a model: vLLM's own where it has the architecture. It can run what transformers has and it has not, but
    /// nothing that does not generate.
    /// </summary>
    public static FusedGroups Of(KnownModel model)
    {
        if (model.Vllm is { } vllm) return new FusedGroups(vllm.Groups);
        return model.Whole is { Generates: false } ? new FusedGroups([]) : Usual;
    }

    /// <summary>The groups that hold the module, with the part that it is.</summary>
    public IEnumerable<(FusedGroup Group, string Part)> Holding(string module)
    {
        return _byLeaf.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(module.AsSpan(module.LastIndexOf('.') + 1), out List<FusedGroup>? groups)
            ? Holding(groups, module)
            : [];
    }

    private static IEnumerable<(FusedGroup Group, string Part)> Holding(List<FusedGroup> groups, string module)
    {
        foreach (FusedGroup group in groups)
            if (group.PartOf(module) is string part) yield return (group, part);
    }

    /// <summary>Extends exclusions over their groups, in place.</summary>
    public void Equalize(ModuleName?[] modules, Verdict[] verdicts)
    {
        while (Follow(modules, verdicts) > 0)
        {
        }
    }

    private int Follow(ModuleName?[] modules, Verdict[] verdicts)
    {
        Dictionary<Layer, int> firstCopied = [];
        for (int i = 0; i < modules.Length; i++)
        {
            if (modules[i] is not { } module || verdicts[i] is not { Action: TensorAction.Copy, NeedsCover: true }) continue;
            // The smallest name speaks for the group, so that the reason does not depend on the order of the file.
            foreach (Layer layer in Layers(module))
                if (!firstCopied.TryGetValue(layer, out int other) || string.CompareOrdinal(module.Leaf, modules[other]!.Leaf) < 0)
                    firstCopied[layer] = i;
        }

        int moved = 0;
        for (int i = 0; i < modules.Length && firstCopied.Count > 0; i++)
        {
            if (modules[i] is not { } module || verdicts[i].Action != TensorAction.Quantize) continue;
            int cause = Layers(module).Select(layer => firstCopied.GetValueOrDefault(layer, -1)).FirstOrDefault(static index => index >= 0, -1);
            if (cause < 0) continue;
            verdicts[i] = verdicts[i].CopyInstead(
                RuleIds.FusedGroup,
                $"vLLM fuses it with {modules[cause]!.Leaf}, which is not quantized ({verdicts[cause].Rule})");
            moved++;
        }

        return moved;
    }

    private IEnumerable<Layer> Layers(ModuleName module) =>
        Holding(module.Path).Select(held => new Layer(module.Path[..^held.Part.Length], held.Group));

    private static string Leaf(string path) => path[(path.LastIndexOf('.') + 1)..];

    /// <summary>A layer of vLLM's that is made of several modules.</summary>
    private sealed record Layer(string Stem, FusedGroup Group);
}
