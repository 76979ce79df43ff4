using Bnb.Engine.Policy;
using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.ScaledFloats;
using Bnb.Formats.Tensors;

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

        var targets = new GroupTargets(settings.Groups);
        HashSet<(long GroupSize, bool IsSymmetric)> unsaid = [];
        HashSet<string> otherTypes = [];
        List<string> untargeted = [];
        foreach (QuantizedWeight weight in quantized.Weights.Where(static weight => weight is Int4Weight or ScaledFloatWeight))
        {
            if (targets.Of(ModuleName.WithoutWeight(weight.Name)) is not { } group) untargeted.Add(weight.Name);
            else if (OtherType(group, weight) is { } said) otherTypes.Add(said);
            else if (weight is Int4Weight groups && !Says(group, groups)) unsaid.Add((groups.GroupSize, groups.IsSymmetric));
        }

        foreach ((long groupSize, bool isSymmetric) in unsaid)
        {
            yield return new Finding(
                Rule, $"no config group has group_size {groupSize} and symmetric {(isSymmetric ? "true" : "false")}, as tensors have", Fails: true);
        }

        foreach (string said in otherTypes) yield return new Finding(Rule, said, Fails: true);
        if (untargeted.Count > 0)
        {
            yield return new Finding(
                Rule, $"{untargeted.Count} quantized weights are the target of no config group, first {DisplayText.Escape(untargeted[0])}: loaders take other modules", Fails: true);
        }
    }

    /// <summary>What a group says of the numbers when that is not what they are: loaders choose their kernel by it. Int of 8 bits when absent.</summary>
    private static string? OtherType(QuantizationGroup group, QuantizedWeight weight)
    {
        if (!group.HasWeights) return null;
        (string type, long bits) = weight is ScaledFloatWeight floats ? ("float", floats.IsFourBit ? 4 : 8) : ("int", 4);
        string said = group.Type ?? "int";
        if (said == type && (group.NumBits ?? bits) == bits) return null;
        string saidBits = group.NumBits is { } number ? $" and num_bits {number}" : "";
        return $"config group {DisplayText.Escape(group.Name)} says type {DisplayText.Escape(said)}{saidBits}, tensors are {weight.Type}";
    }

    /// <summary>A group size that is -1, or absent with the strategy "channel", is one group a row.</summary>
    private static bool Says(QuantizationGroup group, Int4Weight weight) => (group.IsSymmetric ?? true) == weight.IsSymmetric
        && group.GroupSize switch
        {
            > 0 and { } size => weight.GroupSize == size,
            null => group.Strategy != "channel" || weight.GroupCount == 1,
            _ => weight.GroupCount == 1,
        };

    /// <summary>The ignore list, by every reader.</summary>
    public static IEnumerable<Finding> List(QuantizedCheckpoint quantized, QuantizationSettings settings, ModelFacts facts)
    {
        List<Int4Weight> weights = [.. quantized.Weights.OfType<Int4Weight>()];
        var targets = new GroupTargets(settings.Groups);
        int blocksize = (int)Math.Clamp(weights.Select(weight => weight.GroupSize).DefaultIfEmpty(1).Max(), 1, int.MaxValue);
        IReadOnlyList<IgnoreDisagreement> disagreements = IgnoreAudit.Run(
            settings.Ignore ?? [],
            FusedGroups.Usual,
            [.. weights.Select(weight => ModuleName.WithoutWeight(weight.Name))],
            [.. ConfigAudit.PlainLinears(quantized, facts, PolicyTarget.Bnb4, blocksize).Where(name => targets.Of(name) is not null)]);
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
