using System.Text.RegularExpressions;
using Bnb.Engine.Architectures;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Tool.Tests.Policy;

namespace Bnb.Tool.Tests.Architectures;

/// <summary>
/// Plays vLLM on a decision. Which layers it has is not in the atlas, only their names and what is fused: no packed layer may
/// be skipped, every plain one must be.
/// </summary>
internal static partial class SimulatedVllm
{
    private static readonly string[] ExpertParts = [".0.gate_proj", ".0.up_proj", ".0.down_proj"];

    /// <summary>One line for each layer that vLLM takes otherwise than the file is; none where it lacks the class.</summary>
    public static IEnumerable<string> Disagreements(AtlasCheckpoint checkpoint, PolicyResult result, PolicyTarget target)
    {
        if (Atlas.Embedded.Vllm(checkpoint.Model.Name) is not { } vllm) yield break;
        Func<IEnumerable<string>, string, string>[] readers = target == PolicyTarget.CompressedTensors
            ? [(list, module) => Int4(vllm, [.. list], module), (list, module) => Int4(vllm, [.. Renamed(vllm, list)], module)]
            : [(list, module) => BitsAndBytes(vllm, [.. list], module)];
        for (int i = 0; i < checkpoint.Tensors.Count; i++)
        {
            (PolicyTensor tensor, SavedTensor facts, _) = checkpoint.Tensors[i];
            bool packed = result.Decisions[i].Action == TensorAction.Quantize;
            if (facts.IsNeverLinear || !tensor.Name.EndsWith(".weight", StringComparison.Ordinal)) continue;
            // Of bitsandbytes it takes all experts for packed, whatever the list says.
            if (facts.IsExpert && target != PolicyTarget.CompressedTensors) continue;
            if (vllm.Rename(tensor.Name[..^".weight".Length]) is not string module) continue;
            foreach (var reader in readers)
            {
                string answer = reader(result.SkipModules, module);
                if (answer != (packed ? "quantized" : "ignored") && !(answer == "quantized" && facts.Has(LayerKind.Rebuilt)))
                    yield return $"{checkpoint.Model.Name} in vLLM: {tensor.Name} ({module}): packed {packed}, {answer}";
            }
        }
    }

    private static string BitsAndBytes(VllmModel vllm, IReadOnlyList<string> list, string module)
    {
        List<string> layers = [.. vllm.Groups.Where(group => Part(group, module) is not null).Select(group => Stem(group, module) + group.Fused)];
        if (layers.Count == 0) layers.Add(module);
        return One(layers.Select(layer => NaiveMatchers.All["vllm"](list, layer)));
    }

    // should_ignore_layer: the fused layer by its own name, else all of its parts, which must agree, there or not.
    private static string Int4(VllmModel vllm, IReadOnlyList<string> list, string module)
    {
        if (NumberedExpert().Match(module) is { Success: true } expert) return One(ExpertParts.Select(part => Matches(list, expert.Groups[1].Value + part)));
        List<string> answers = [];
        foreach (FusedGroup group in vllm.Groups.Where(group => Part(group, module) is not null))
        {
            string stem = Stem(group, module);
            answers.Add(list.Contains(stem + group.Fused) ? "ignored" : One(group.Parts.Select(part => Matches(list, stem + part))));
        }

        return answers.Count == 0 ? One([Matches(list, module)]) : answers.Distinct().Count() == 1 ? answers[0] : "refused";
    }

    private static string One(IEnumerable<bool> ignored) => ignored.Distinct().ToList() switch
    {
        [true] => "ignored",
        [false] => "quantized",
        _ => "refused",
    };

    private static bool Matches(IReadOnlyList<string> list, string name) =>
        NaiveIgnoreReaders.All["CompressedTensors10"](list, name) == "ignored";

    private static string? Part(FusedGroup group, string module) =>
        group.Parts.FirstOrDefault(part => module == part || module.EndsWith("." + part, StringComparison.Ordinal));

    private static string Stem(FusedGroup group, string module) => module[..^Part(group, module)!.Length];

    // hf_to_vllm_mapper is applied to the entries as they are written, expressions too.
    private static IEnumerable<string> Renamed(VllmModel vllm, IEnumerable<string> list)
    {
        foreach (string entry in list)
        {
            string? name = entry;
            foreach ((string text, string? replacement) in vllm.Substrings)
                if (name is not null && name.Contains(text, StringComparison.Ordinal)) name = replacement is null ? null : new Regex(Regex.Escape(text)).Replace(name, replacement.Replace("$", "$$", StringComparison.Ordinal), 1);
            foreach ((string text, string? replacement) in vllm.Prefixes)
                if (name is not null && name.StartsWith(text, StringComparison.Ordinal)) name = replacement is null ? null : replacement + name[text.Length..];
            foreach ((string text, string? replacement) in vllm.Suffixes)
                if (name is not null && name.EndsWith(text, StringComparison.Ordinal)) name = replacement is null ? null : name[..^text.Length] + replacement;
            if (name is not null) yield return name;
        }
    }

    [GeneratedRegex(@"\A(.*?\.experts)\.[0-9]", RegexOptions.Singleline)]
    private static partial Regex NumberedExpert();
}
