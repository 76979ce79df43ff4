using System.Globalization;
using System.Text.RegularExpressions;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Sharded;

namespace Bnb.Formats.Checkpoints;

/// <summary>Which files of a folder are the checkpoint; decided from names and the index, before any header is read.</summary>
/// <param name="FileNames">Weight files below the folder, sorted.</param>
/// <param name="BaseName">What their names start with: <c>model</c>.</param>
/// <param name="IndexPath">The index used, or null.</param>
/// <param name="Index">Its content.</param>
/// <param name="Notes">What the user may want to know about the choice.</param>
internal sealed record CheckpointLayout(
    IReadOnlyList<string> FileNames, string BaseName, string? IndexPath, ShardIndex? Index, IReadOnlyList<string> Notes)
{
    /// <summary>What transformers calls weight files.</summary>
    public const string Model = "model";

    /// <summary>What diffusers calls them.</summary>
    public const string Diffusion = "diffusion_pytorch_model";

    private static readonly string[] BaseNames = [Model, Diffusion];

    /// <summary>Finds the checkpoint in a folder, in the order the Hugging Face loaders look.</summary>
    /// <exception cref="CheckpointFormatException">There is none, or its index is bad.</exception>
    public static CheckpointLayout Find(string folder)
    {
        IReadOnlyList<string> names = FolderListing.Names(folder);
        foreach (string baseName in BaseNames)
        {
            string single = baseName + ".safetensors";
            string index = single + ".index.json";
            if (names.Contains(single)) return Single(single, baseName, names.Contains(index) ? index : null, names);
            if (names.Contains(index)) return FromIndex(folder, index, baseName, names);
        }

        foreach (string baseName in BaseNames)
        {
            if (WithoutIndex(folder, baseName, names) is { } layout) return layout;
        }

        // A pipeline often has a single-file export of one component in its root; which one, only its publisher knows.
        if (names.Contains("model_index.json")) throw NoWeights.Error(folder, names);
        string[] safetensors = [.. names.Where(IsSafetensors)];
        if (safetensors.Length == 1) return Single(safetensors[0], safetensors[0][..^".safetensors".Length], null, names);
        throw safetensors.Length > 1 ? Ambiguous(folder, safetensors) : NoWeights.Error(folder, names);
    }

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

    private static CheckpointLayout? WithoutIndex(string folder, string baseName, IReadOnlyList<string> names)
    {
        List<(int Number, int Count, string Name)> shards = [];
        foreach (string name in names)
        {
            Match match = ShardName.Pattern().Match(name);
            if (!match.Success || match.Groups[1].Value != baseName) continue;
            shards.Add((Integer(match.Groups[2]), Integer(match.Groups[3]), name));
        }

        if (shards.Count == 0) return null;
        int count = shards[0].Count;
        if (shards.Any(shard => shard.Count != count || shard.Number < 1 || shard.Number > count))
            throw Ambiguous(folder, [.. shards.Select(shard => shard.Name)]);

        HashSet<int> present = [.. shards.Select(shard => shard.Number)];
        IEnumerable<int> absent = Enumerable.Range(1, count).Where(number => !present.Contains(number));
        string[] missing = [.. absent.Select(number => Numbered(baseName, number, count))];
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
        notes.Insert(0, $"there is no index; the {count} files {baseName}-*.safetensors are taken as the checkpoint");
        return new CheckpointLayout(files, baseName, null, null, notes);
    }

    private static List<string> Unused(IReadOnlyList<string> names, IReadOnlyList<string> used)
    {
        List<string> notes = [];
        string[] safetensors = [.. names.Where(IsSafetensors).Except(used, StringComparer.Ordinal)];
        if (safetensors.Length > 0) notes.Add($"not part of the checkpoint and ignored: {ItemList.Names(safetensors)}");
        string[] others = [.. names.Where(name => SideFileRules.IsWeights(name) && !IsSafetensors(name))];
        if (others.Length > 0) notes.Add($"weights in other formats are ignored: {ItemList.Names(others)}");
        return notes;
    }

    private static CheckpointFormatException Ambiguous(string folder, IReadOnlyList<string> names) => new(
        FormatError.FileMissing,
        $"{FileProbe.ShortName(folder)} holds several safetensors files that are not one checkpoint, and no index",
        folder,
        facts: ItemList.Of([.. names.Select(name => (DisplayText.Escape(name), "found"))]),
        action: "give the path of one file, or download the index");

    private static string Numbered(string baseName, int number, int count) =>
        string.Create(CultureInfo.InvariantCulture, $"{baseName}-{number:00000}-of-{count:00000}.safetensors");

    private static bool IsSafetensors(string name) => name.EndsWith(".safetensors", StringComparison.Ordinal);

    private static int Integer(Group digits) => int.Parse(digits.ValueSpan, CultureInfo.InvariantCulture);
}
