using Bnb.Engine.Policy;
using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Verifying;

/// <summary>Whether the config of a compressed-tensors checkpoint says what its tensors are.</summary>
internal static class Int4ConfigAudit
{
    private const string Rule = "config";

    /// <summary>Status, groups and targets; the ignore list aside.</summary>
    public static IEnumerable<Finding> Members(QuantizedCheckpoint quantized, QuantizationSettings settings)
    {
        if (settings.Status != "compressed")
        {
            yield return new Finding(
                Rule, $"quantization_status is {DisplayText.Escape(settings.Status ?? "missing")}: loaders unpack only what is compressed", Fails: true);
        }

        List<Int4Weight> weights = [.. quantized.Weights.OfType<Int4Weight>()];
        foreach ((long groupSize, bool isSymmetric) in weights.Select(weight => (weight.GroupSize, weight.IsSymmetric)).Distinct())
        {
            if (settings.Groups.Any(group => (group.GroupSize ?? groupSize) == groupSize && (group.IsSymmetric ?? true) == isSymmetric)) continue;
            yield return new Finding(
                Rule, $"no config group has group_size {groupSize} and symmetric {(isSymmetric ? "true" : "false")}, as tensors have", Fails: true);
        }

        if (!settings.Groups.Any(group => group.Targets?.Contains("Linear") == true))
            yield return new Finding(Rule, "no config group targets the class Linear: loaders look for other modules", Fails: true);
    }

    public static IEnumerable<Finding> Run(QuantizedCheckpoint quantized, QuantizationSettings settings, ModelFacts facts)
    {
        foreach (Finding finding in Members(quantized, settings)) yield return finding;
        List<Int4Weight> weights = [.. quantized.Weights.OfType<Int4Weight>()];
        int blocksize = (int)Math.Clamp(weights.Select(weight => weight.GroupSize).DefaultIfEmpty(1).Max(), 1, int.MaxValue);
        IReadOnlyList<IgnoreDisagreement> disagreements = IgnoreAudit.Run(
            settings.Ignore ?? [],
            FusedGroups.Usual,
            [.. weights.Select(weight => ModuleName.WithoutWeight(weight.Name))],
            [.. ConfigAudit.PlainLinears(quantized, facts, PolicyTarget.Bnb4, blocksize)]);
        foreach (IgnoreDisagreement found in disagreements)
            yield return new Finding(Rule, Text(found), Fails: found.Problem is IgnoreProblem.IgnoresQuantized or IgnoreProblem.Refuses);
    }

    private static string Text(IgnoreDisagreement found) => found.Problem switch
    {
        IgnoreProblem.IgnoresQuantized => $"ignore takes {found.Count} quantized modules out for {Name(found.Reader)}, first {DisplayText.Escape(found.First)}",
        IgnoreProblem.MissesPlain => $"ignore misses {found.Count} unquantized linear modules for {Name(found.Reader)}, first {DisplayText.Escape(found.First)}",
        IgnoreProblem.Refuses => $"{Name(found.Reader)} refuses {found.Count} fused layers of which ignore names a part, first {DisplayText.Escape(found.First)}",
        _ => $"{found.Count} entries of ignore cannot be read as a regular expression, first {DisplayText.Escape(found.First)}",
    };

    private static string Name(IgnoreReader? reader) => reader switch
    {
        IgnoreReader.CompressedTensors => "compressed-tensors 0.11 and later",
        IgnoreReader.CompressedTensors10 => "compressed-tensors up to 0.10",
        IgnoreReader.Vllm06 => "vLLM up to 0.6.5",
        IgnoreReader.Vllm => "vLLM",
        IgnoreReader.VllmLenient => "vLLM of 2026",
        _ => "every reader",
    };
}
