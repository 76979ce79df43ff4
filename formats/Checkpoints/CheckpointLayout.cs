using System.Globalization;
using System.Text.RegularExpressions;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Sharded;

namespace Bnb.Formats.Checkpoints;

/// <summary>Which files of a folder are the checkpoint; decided from names and the index, before any header is read.</summary>
/// <param name="FileNames">Weight files below the folder, sorted.</param>
/// <param name="BaseName">What the names of safetensors files of this model start with: <c>model</c>.</param>
/// <param name="IndexPath">The index used, or null.</param>
/// <param name="Index">Its content.</param>
/// <param name="Notes">What the user may want to know about the choice.</param>
internal sealed partial record CheckpointLayout(
    IReadOnlyList<string> FileNames, string BaseName, string? IndexPath, ShardIndex? Index, IReadOnlyList<string> Notes)
{
    /// <summary>
    /// Finds the checkpoint in a folder, in the order the Hugging Face loaders look: safetensors before PyTorch files, the
    /// usual names before others, one file before several.
    /// </summary>
    /// <param name="variant">The variant whose files are wanted, such as <c>fp16</c>; null for the plain ones, or the only variant
    /// there is.</param>
    /// <exception cref="CheckpointFormatException">There is none, or its index is bad.</exception>
    public static CheckpointLayout Find(string folder, string? variant)
    {
        IReadOnlyList<string> names = FolderListing.Names(folder);
        if (variant is not null) return OfVariant(folder, names, variant);
        foreach (WeightForm form in (WeightForm[])[WeightForm.Safetensors, WeightForm.Torch])
        {
            foreach ((string stored, string written) in form.BaseNames)
            {
                string single = stored + form.Ending;
                string index = single + ".index.json";
                if (names.Contains(single)) return Single(single, written, names.Contains(index) ? index : null, names);
                if (names.Contains(index)) return FromIndex(folder, index, written, names);
            }

            foreach ((string stored, string written) in form.BaseNames)
            {
                if (WithoutIndex(folder, form, stored, names) is { } shards) return shards with { BaseName = written };
            }
        }

        if (OnlyVariant(folder, names) is { } only) return only;

        // A pipeline often has a single-file export of one component in its root; which one, only its publisher knows.
        if (names.Contains("model_index.json")) throw NoWeights.Error(folder, names);
        return Other(folder, names, [.. names.Where(WeightForm.Safetensors.Is)])
            ?? Other(folder, names, [.. names.Where(WeightForm.IsTorchWeights)])
            ?? throw NoWeights.Error(folder, names);
    }

    /// <summary>Whether weights of the usual names are among those of a folder.</summary>
    public static bool HasUsualNames(IReadOnlyList<string> names) => ((WeightForm[])[WeightForm.Safetensors, WeightForm.Torch]).Any(form =>
        form.BaseNames.Any(name => names.Contains(name.Stored + form.Ending) || names.Contains($"{name.Stored}{form.Ending}.index.json")));

    /// <summary>A file of another name, if it is the only one of its format.</summary>
    private static CheckpointLayout? Other(string folder, IReadOnlyList<string> names, string[] files) => files switch
    {
        [] => null,
        [string name] => Single(name, WeightForm.BaseName(name), null, names),
        _ => throw Ambiguous(folder, files),
    };

    private static CheckpointLayout Single(string name, string baseName, string? unusedIndex, IReadOnlyList<string> names)
    {
        List<string> notes = Unused(names, [name]);
        if (unusedIndex is not null) notes.Insert(0, $"{name} is used and {unusedIndex} ignored, as the loaders do");
        return new CheckpointLayout([name], baseName, null, null, notes);
    }

    private static CheckpointLayout FromIndex(string folder, string indexName, string baseName, IReadOnlyList<string> names)
    {
        string path = Path.Combine(folder, indexName);
        ShardIndex index = ShardIndex.Parse(FileProbe.ReadSmall(path, FormatLimits.IndexBytes, FormatError.IndexNotJson), path);
        IEnumerable<string> named = index.WeightMap.Select(pair => pair.Value).Distinct(StringComparer.Ordinal);
        string[] shards = [.. named.Order(StringComparer.Ordinal)];
        return new CheckpointLayout(shards, baseName, path, index, Unused(names, shards));
    }

    private static CheckpointLayout? WithoutIndex(string folder, WeightForm form, string baseName, IReadOnlyList<string> names)
    {
        List<(int Number, int Count, string Name)> shards = [];
        foreach (string name in names)
        {
            Match match = ShardName.Pattern().Match(name);
            if (!match.Success || match.Groups[1].Value != baseName || match.Groups[4].Value != form.Ending) continue;
            shards.Add((Integer(match.Groups[2]), Integer(match.Groups[3]), name));
        }

        if (shards.Count == 0) return null;
        int count = shards[0].Count;
        if (shards.Any(shard => shard.Count != count || shard.Number < 1 || shard.Number > count))
            throw Ambiguous(folder, [.. shards.Select(shard => shard.Name)]);

        HashSet<int> present = [.. shards.Select(shard => shard.Number)];
        IEnumerable<int> absent = Enumerable.Range(1, count).Where(number => !present.Contains(number));
        string[] missing = [.. absent.Select(number => Numbered(baseName, number, count, form.Ending))];
        if (missing.Length > 0)
        {
            throw new CheckpointFormatException(
                FormatError.FileMissing,
                $"{missing.Length} of {count} weight files are missing, and there is no index",
                folder,
                facts: ItemList.Of([.. missing.Select(name => (name, "missing"))]),
                action: "download the missing files");
        }

        string[] files = [.. shards.Select(shard => shard.Name)];
        List<string> notes = Unused(names, files);
        notes.Insert(0, $"there is no index; the {count} files {baseName}-*{form.Ending} are taken as the checkpoint");
        return new CheckpointLayout(files, baseName, null, null, notes);
    }

    private static List<string> Unused(IReadOnlyList<string> names, string[] used)
    {
        List<string> notes = [];
        string ending = Path.GetExtension(used[0]);
        string[] weights = [.. names.Where(SideFileRules.IsWeights).Except(used, StringComparer.Ordinal)];
        string[] same = [.. weights.Where(name => name.EndsWith(ending, StringComparison.Ordinal))];
        if (same.Length > 0) notes.Add($"not part of the checkpoint and ignored: {ItemList.Names(same)}");
        string[] others = [.. weights.Except(same, StringComparer.Ordinal)];
        if (others.Length > 0) notes.Add($"weights in other formats are ignored: {ItemList.Names(others)}");
        return notes;
    }

    private static CheckpointFormatException Ambiguous(string folder, string[] names) => new(
        FormatError.FileMissing,
        $"{FileProbe.ShortName(folder)} holds several {(WeightForm.IsTorch(names[0]) ? "PyTorch" : "safetensors")} files that are not one checkpoint, and no index",
        folder,
        facts: ItemList.Of([.. names.Select(name => (DisplayText.Escape(name), "found"))]),
        action: "give the path of one file, or download the index");

    private static string Numbered(string baseName, int number, int count, string ending) =>
        string.Create(CultureInfo.InvariantCulture, $"{baseName}-{number:00000}-of-{count:00000}{ending}");

    private static int Integer(Group digits) => int.Parse(digits.ValueSpan, CultureInfo.InvariantCulture);
}
