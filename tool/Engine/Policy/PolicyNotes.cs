using System.Globalization;
using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>Lines that the user should read although nothing is wrong.</summary>
internal static class PolicyNotes
{
    private const int MostNamed = 8;

    /// <summary>
    /// Writes them in a fixed order, whatever the order of the tensors. What the result carries as facts of its own, such
    /// as fused experts, is left to the command to say.
    /// </summary>
    public static IReadOnlyList<string> Write(
        ModuleName?[] modules,
        Verdict[] verdicts,
        ModelFacts facts,
        KnownModel model,
        PolicyTarget target,
        IReadOnlyList<string> skipModules)
    {
        List<string> notes = [];
        Count(notes, modules, verdicts, RuleIds.FusedGroup, "copied because vLLM fuses them with an excluded neighbour");
        Count(notes, modules, verdicts, RuleIds.Closure, target == PolicyTarget.CompressedTensors
            ? "copied because vLLM loads them into one layer with an excluded module"
            : "copied because no skip list could tell them from an excluded module");
        Count(notes, modules, verdicts, RuleIds.UnknownLinear, "copied because their names are not known to be linear layers'");
        AddUnfamiliar(notes, modules, verdicts);
        AddExpertNotes(notes, modules, verdicts, target);
        AddUnknown(notes, verdicts, model);
        if (!skipModules.Contains("lm_head") && verdicts.Any(static verdict => verdict.Rule == RuleIds.UserInclude))
        {
            notes.Add(facts.TieWordEmbeddings
                ? "lm_head is quantized on request although the config ties it to the embedding; most loaders will refuse that"
                : "lm_head is quantized on request; vLLM keeps output heads in float and will not load this checkpoint");
        }

        return notes;
    }

    private static void AddUnknown(List<string> notes, Verdict[] verdicts, KnownModel model)
    {
        int unknown = verdicts.Count(static verdict => verdict.IsUnknownName);
        if (unknown == 0 || model.Parts.Count == 0) return;
        string classes = string.Join(", ", model.Parts.Select(static part => part.Class.Name).Distinct(StringComparer.Ordinal));
        notes.Add(string.Create(
            CultureInfo.InvariantCulture, $"{unknown} tensors have names that no known version of {classes} has: they were judged by their names"));
    }

    private static void Count(List<string> notes, ModuleName?[] modules, Verdict[] verdicts, string rule, string text)
    {
        string? first = null;
        int count = 0;
        for (int i = 0; i < verdicts.Length; i++)
        {
            if (verdicts[i].Rule != rule || modules[i] is not { } module) continue;
            count++;
            if (first is null || string.CompareOrdinal(module.Path, first) < 0) first = module.Path;
        }

        if (first is not null)
            notes.Add(string.Create(CultureInfo.InvariantCulture, $"{text}: {count}, such as {PolicyException.Shorten(first)}"));
    }

    // A loader that reads a weight directly breaks when it is quantized, and only a name tells such a weight apart.
    private static void AddUnfamiliar(List<string> notes, ModuleName?[] modules, Verdict[] verdicts)
    {
        HashSet<string> leaves = new(StringComparer.Ordinal);
        for (int i = 0; i < verdicts.Length; i++)
            if (verdicts[i] is { Rule: RuleIds.Linear, Known: null }) leaves.Add(modules[i]!.Leaf);

        leaves.RemoveWhere(LeafNames.IsFamiliarLinear);
        List<string> unfamiliar = [.. leaves.Order(StringComparer.Ordinal)];
        if (unfamiliar.Count == 0) return;
        string names = string.Join(", ", unfamiliar.Take(MostNamed).Select(PolicyException.Shorten));
        notes.Add("quantized for their shape although their names are unfamiliar, please check that they are linear layers: "
            + names + (unfamiliar.Count > MostNamed ? ", …" : ""));
    }

    // Numbered experts are where loaders differ most, so a checkpoint that has them says who can read it.
    private static void AddExpertNotes(List<string> notes, ModuleName?[] modules, Verdict[] verdicts, PolicyTarget target)
    {
        HashSet<string> quantized = new(StringComparer.Ordinal);
        HashSet<string> copied = new(StringComparer.Ordinal);
        HashSet<string>.AlternateLookup<ReadOnlySpan<char>> blocks = quantized.GetAlternateLookup<ReadOnlySpan<char>>();
        for (int i = 0; i < verdicts.Length; i++)
        {
            if (modules[i] is not { } module || !module.TryGetBefore("experts", out ReadOnlySpan<char> block)) continue;
            // Not where every version of the class has them one by one.
            if (verdicts[i].Action == TensorAction.Quantize && verdicts[i].Known?.Facts.Has(LayerKind.Expert) != false) blocks.Add(block);
            else if (verdicts[i].NeedsCover) copied.Add(block.ToString());
        }

        if (quantized.Count > 0)
        {
            notes.Add("experts are quantized one by one: " + target switch
            {
                PolicyTarget.Bnb8 => "transformers 4 reads that; vLLM has no int8 experts, and transformers 5, which fuses experts, does not read it; --experts keep or -t int4 does for it",
                PolicyTarget.CompressedTensors => "transformers 4 and 5 and vLLM read that where it is symmetric; with zero points transformers 5 does not, and vLLM does from 0.33 on",
                _ => "transformers 4 and vLLM read that; transformers 5, which fuses experts, does not; --experts keep or -t int4 does for it",
            });
        }

        if (quantized.Overlaps(copied))
            notes.Add("in some layers only a part of the expert matrices is quantized; vLLM wants all experts of a layer alike");
    }
}
