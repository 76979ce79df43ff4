using System.Text.RegularExpressions;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Checkpoints;

/// <summary>
/// Weights whose files have a variant's name before the ending: <c>model.fp16.safetensors</c>, or an index that has it before one of
/// its endings. They are written under the plain name, which loaders look for that are told of no variant.
/// </summary>
internal sealed partial record CheckpointLayout
{
    /// <summary>The variant of a folder that has no other weights; null when it has none.</summary>
    /// <exception cref="CheckpointFormatException">It has several.</exception>
    private static CheckpointLayout? OnlyVariant(string folder, IReadOnlyList<string> names)
    {
        List<(string Base, string Variant, string Name)> all = Variants(names);
        foreach ((string stored, string written) in WeightForm.Safetensors.BaseNames)
        {
            string[] variants = [.. all.Where(one => one.Base == stored).Select(static one => one.Variant).Distinct(StringComparer.Ordinal)];
            if (variants.Length == 0) continue;
            if (variants.Length > 1)
            {
                throw new CheckpointFormatException(
                    FormatError.FileMissing,
                    $"{FileProbe.ShortName(folder)} holds several variants of its weights and none under the plain name",
                    folder,
                    facts: [("variants", ItemList.Names(variants))],
                    action: $"name one, as in --variant {variants[0]}, or give the path of one file");
            }

            return Read(folder, names, [.. all.Where(one => one.Base == stored)], written);
        }

        return null;
    }

    /// <summary>The files of a variant that was asked for.</summary>
    /// <exception cref="CheckpointFormatException">There are none.</exception>
    private static CheckpointLayout OfVariant(string folder, IReadOnlyList<string> names, string variant)
    {
        List<(string Base, string Variant, string Name)> all = Variants(names);
        foreach ((string stored, string written) in WeightForm.Safetensors.BaseNames)
        {
            List<(string Base, string Variant, string Name)> found = [.. all.Where(one => one.Base == stored && one.Variant == variant)];
            if (found.Count > 0) return Read(folder, names, found, written);
        }

        string[] others = [.. all.Select(static one => one.Variant).Distinct(StringComparer.Ordinal)];
        throw new CheckpointFormatException(
            FormatError.FileMissing,
            $"{FileProbe.ShortName(folder)} has no variant {DisplayText.Escape(variant)} of its weights",
            folder,
            facts: [("variants", others.Length == 0 ? "none" : ItemList.Names(others))],
            action: others.Length == 0 ? "leave out --variant" : $"name one that is there, as in --variant {others[0]}");
    }

    /// <summary>Whether a folder has files of a variant.</summary>
    public static bool HasVariant(IReadOnlyList<string> names, string variant) => Variants(names).Exists(one => one.Variant == variant);

    private static CheckpointLayout Read(
        string folder, IReadOnlyList<string> names, List<(string Base, string Variant, string Name)> found, string written)
    {
        // As loaders do, one file before several.
        (_, string variant, string file) = found.Find(static one => !IsIndex(one.Name)) is { Name: not null } single ? single : found[0];
        CheckpointLayout layout = IsIndex(file) ? FromIndex(folder, file, written, names) : Single(file, written, null, names);
        return layout with { Notes = [$"the variant {DisplayText.Escape(variant)} is read; output has the plain names", .. layout.Notes] };
    }

    private static bool IsIndex(string name) => name.EndsWith(".json", StringComparison.Ordinal);

    private static List<(string Base, string Variant, string Name)> Variants(IReadOnlyList<string> names) =>
    [
        .. names.Select(static name => (Match: VariantName().Match(name), Name: name)).Where(static one => one.Match.Success)
            .Select(static one => (one.Match.Groups["base"].Value, one.Match.Groups["variant"].Value, one.Name)),
    ];

    // transformers and diffusers put it before the index's last ending, older conversions before the first. One file of several
    // is no variant by itself: an index names it.
    [GeneratedRegex(
        @"\A(?<base>model|diffusion_pytorch_model)\.(?:(?<variant>(?![^.]*-[0-9]{5}-of-)[A-Za-z0-9_-]+)\.safetensors(?:\.index\.json)?|safetensors\.index\.(?<variant>[A-Za-z0-9_-]+)\.json)\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex VariantName();
}
