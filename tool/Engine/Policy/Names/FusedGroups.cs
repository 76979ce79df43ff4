namespace Bnb.Engine.Policy.Names;

/// <summary>
/// vLLM loads q, k and v of a layer into one parameter, and gate and up into another; each of those is either quantized
/// or not. So when one member of a group is copied, the others are copied too.
/// </summary>
internal static class FusedGroups
{
    /// <summary>The leaf name of the fused module that <paramref name="leaf"/> belongs to, or null.</summary>
    public static string? FusedLeaf(string leaf) => leaf switch
    {
        "q_proj" or "k_proj" or "v_proj" => "qkv_proj",
        "gate_proj" or "up_proj" => "gate_up_proj",
        _ => null,
    };

    /// <summary>The leaf names that vLLM loads into a module of the leaf name <paramref name="fused"/>.</summary>
    public static IReadOnlyList<string> Members(string fused) =>
        fused == "qkv_proj" ? ["q_proj", "k_proj", "v_proj"] : ["gate_proj", "up_proj"];

    /// <summary>Extends exclusions over their groups, in place. Returns the number of modules that had to follow.</summary>
    public static int Equalize(ModuleName?[] modules, Verdict[] verdicts)
    {
        Dictionary<(string Parent, string Fused), int> firstCopied = [];
        for (int i = 0; i < modules.Length; i++)
        {
            if (Key(modules[i]) is not { } key || verdicts[i] is not { Action: TensorAction.Copy, NeedsCover: true }) continue;
            // The smallest name speaks for the group, so that the reason does not depend on the order of the file.
            if (!firstCopied.TryGetValue(key, out int other)
                || string.CompareOrdinal(modules[i]!.Leaf, modules[other]!.Leaf) < 0)
                firstCopied[key] = i;
        }

        int moved = 0;
        for (int i = 0; i < modules.Length && firstCopied.Count > 0; i++)
        {
            if (verdicts[i].Action != TensorAction.Quantize || Key(modules[i]) is not { } key) continue;
            if (!firstCopied.TryGetValue(key, out int cause)) continue;
            verdicts[i] = verdicts[i].CopyInstead(
                RuleIds.FusedGroup,
                $"vLLM fuses it with {modules[cause]!.Leaf}, which is not quantized ({verdicts[cause].Rule})");
            moved++;
        }

        return moved;
    }

    private static (string Parent, string Fused)? Key(ModuleName? module) =>
        module is not null && FusedLeaf(module.Leaf) is string fused ? (module.Parent, fused) : null;
}
