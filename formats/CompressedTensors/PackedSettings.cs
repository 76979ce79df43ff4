using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.CompressedTensors;

/// <summary>What config.json says about the packed weights beside it.</summary>
internal static class PackedSettings
{
    private const string PackQuantized = "pack-quantized";

    /// <summary>Why the weights are not what is read here, one text per reason; none when the config says nothing.</summary>
    public static IEnumerable<string> Refusals(QuantizationSettings? settings)
    {
        if (settings is null) yield break;
        if (settings.Has("format") && settings.Format != PackQuantized) yield return Format("format", settings.Format);
        foreach (QuantizationGroup group in settings.Groups.Where(group => group.HasWeights))
        {
            string name = DisplayText.Escape(group.Name);
            if (group.Format is { } format && format != PackQuantized) yield return Format($"format of {name}", format);
            // Both are 8 bits and integers when they are not given.
            if (group.NumBits != 4) yield return $"num_bits of {name} is {group.NumBits?.ToString() ?? "not given"}, only 4 is read";
            if ((group.Type ?? "int") != "int") yield return $"type of {name} is {DisplayText.Escape(group.Type!)}, only int is read";
        }
    }

    /// <summary>Where a config with one group of weights disagrees with the tensors; loaders go by the config.</summary>
    public static IEnumerable<(Int4Weight Weight, string Text)> Disagreements(QuantizationSettings? settings, IReadOnlyList<Int4Weight> weights)
    {
        if (settings?.Groups is not [{ HasWeights: true } group]) yield break;
        bool isSymmetric = group.IsSymmetric ?? true;
        if (weights.FirstOrDefault(weight => weight.IsSymmetric != isSymmetric) is { } other)
            yield return (other, $"has {(isSymmetric ? "" : "no ")}zero points, config.json says {(isSymmetric ? "" : "not ")}symmetric");
        long size = group.GroupSize is > 0 and { } given ? given : long.MaxValue;
        if (weights.FirstOrDefault(weight => weight.GroupCount != (weight.Columns / size) + (weight.Columns % size == 0 ? 0 : 1)) is { } uneven)
            yield return (uneven, $"has groups of {uneven.GroupSize}, config.json says {(size == long.MaxValue ? "one group a row" : size)}");
    }

    private static string Format(string what, string? format) =>
        $"{what} is {(format is null ? "no text" : DisplayText.Escape(format))}, only {PackQuantized} is read";
}
