using System.Globalization;
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
        if (!skipModules.Contains("lm_head"))
        {
            notes.Add(facts.TieWordEmbeddings
                ? "lm_head is quantized on request although the config ties it to the embedding; most loaders will refuse that"
                : "lm_head is quantized on request; vLLM keeps output heads in float and will not load this checkpoint");
        }

        return notes;
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
            if (verdicts[i].Rule == RuleIds.Linear) leaves.Add(modules[i]!.Leaf);

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
        for (int i = 0; i < verdicts.Length; i++)
        {
            int at = modules[i]?.IndexOf("experts") ?? -1;
            if (at < 0) continue;
            string block = string.Join('.', modules[i]!.Components.Take(at));
            if (verdicts[i].Action == TensorAction.Quantize) quantized.Add(block);
            else if (verdicts[i].NeedsCover) copied.Add(block);
        }

        if (quantized.Count > 0)
        {
            notes.Add("experts are quantized one by one: " + target switch
            {
                PolicyTarget.Bnb8 => "transformers 4 reads that; vLLM has no int8 experts, and stock transformers 5 does not read it",
                PolicyTarget.CompressedTensors => "vLLM reads that where it is symmetric, transformers 5 decompresses them in its newer versions",
                _ => "transformers 4 and vLLM read that, stock transformers 5 does not",
            });
        }

        if (quantized.Overlaps(copied))
            notes.Add("in some layers only a part of the expert matrices is quantized; vLLM wants all experts of a layer alike");
    }
}
