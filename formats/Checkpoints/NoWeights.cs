using Bnb.Formats.HuggingFace;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Checkpoints;

/// <summary>Says what a folder holds instead of weights that are read.</summary>
internal static class NoWeights
{
    private const int MostLookedInto = 200;

    /// <summary>The error for a folder without a checkpoint.</summary>
    public static CheckpointFormatException Error(string folder, IReadOnlyList<string> names)
    {
        if (names.Contains("model_index.json")) return Pipeline(folder, names);
        string[] others = [.. names.Where(SideFileRules.IsWeights)];
        if (others.Length == 0 && folder.EndsWith(".safetensors", StringComparison.Ordinal))
        {
            return new CheckpointFormatException(
                FormatError.FileIsNotRegular,
                $"{FileProbe.ShortName(folder)} is a folder without weights, not a safetensors file",
                folder,
                action: "give a safetensors file, or a folder with weights");
        }

        string[] inside = others.Length > 0 ? [] : [.. names.Take(MostLookedInto).Where(name => MayHoldWeights(Path.Combine(folder, name)))];
        string found = others.Length > 0 ? ItemList.Names(others) : names.Count == 0 ? "an empty folder" : ItemList.Names(names);
        return new CheckpointFormatException(
            FormatError.FileMissing,
            $"{FileProbe.ShortName(folder)} holds no weights that are read",
            folder,
            facts: [("found", found)],
            action: others.Length > 0 && others.All(static name => name.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
                ? "GGUF is not read: give the safetensors files that these were converted from"
                : inside.Length > 0 ? $"give one of the folders in it that have weights: {ItemList.Names([.. inside.Select(name => Path.Combine(folder, name))])}"
                : "give a folder with model.safetensors or pytorch_model.bin, or with an index and its files");
    }

    private static CheckpointFormatException Pipeline(string folder, IReadOnlyList<string> names)
    {
        string[] components = [.. names.Where(name => HoldsWeights(Path.Combine(folder, name)))];
        return new CheckpointFormatException(
            FormatError.FileMissing,
            $"{FileProbe.ShortName(folder)} is a diffusers pipeline; its weights are in component folders",
            folder,
            facts: [("components", components.Length > 0 ? ItemList.Names(components) : "none with weights that are read")],
            action: components.Length == 0
                ? "download the weights of the component that is to be quantized"
                : $"give one component folder, for example {Path.Combine(folder, components.FirstOrDefault(static name => name is "unet" or "transformer") ?? components[0])}");
    }

    /// <summary>The same for a hint: of a folder that cannot be listed nothing is said.</summary>
    private static bool MayHoldWeights(string path)
    {
        try
        {
            return HoldsWeights(path);
        }
        catch (CheckpointFormatException)
        {
            return false;
        }
    }

    /// <summary>Whether a path is a folder with weights of a format that is read.</summary>
    public static bool HoldsWeights(string path) =>
        FileStatus.TryGet(path, followLinks: true, out FileStatus status, out _)
        && status.Kind == FileKind.Folder
        && FolderListing.Names(path).Any(name => WeightForm.Safetensors.Is(name) || WeightForm.IsTorchWeights(name));
}
