using Bnb.Formats.HuggingFace;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Checkpoints;

/// <summary>Says what a path holds instead of safetensors weights.</summary>
internal static class NoWeights
{
    private static readonly string[] PickleEndings = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"];

    /// <summary>True for the name of a file that PyTorch writes with a pickle inside.</summary>
    public static bool IsPickle(string name) =>
        PickleEndings.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase));

    /// <summary>The error for a folder without a checkpoint.</summary>
    public static CheckpointFormatException Error(string folder, IReadOnlyList<string> names)
    {
        if (names.Contains("model_index.json")) return Pipeline(folder, names);
        string[] pickles = [.. names.Where(name => IsPickle(name) && name != "training_args.bin")];
        if (pickles.Length > 0) return Pickle(folder, pickles);
        string[] others = [.. names.Where(SideFileRules.IsWeights)];
        if (others.Length == 0 && folder.EndsWith(".safetensors", StringComparison.Ordinal))
        {
            return new CheckpointFormatException(
                FormatError.FileIsNotRegular,
                $"{FileProbe.ShortName(folder)} is a folder without weights, not a safetensors file",
                folder);
        }

        string found = others.Length > 0 ? ItemList.Names(others) : names.Count == 0 ? "an empty folder" : ItemList.Names(names);
        return new CheckpointFormatException(
            FormatError.FileMissing,
            $"{FileProbe.ShortName(folder)} holds no safetensors weights",
            folder,
            facts: [("found", found)],
            action: "give a folder with model.safetensors, or with model.safetensors.index.json and its files");
    }

    /// <summary>The error for PyTorch files. They are looked at as far as a Git LFS pointer goes, and never unpickled.</summary>
    public static CheckpointFormatException Pickle(string folder, IReadOnlyList<string> names)
    {
        foreach (string name in names)
        {
            string path = Path.Combine(folder, name);
            FileStatus status = FileProbe.RequireRegular(path);
            using PositionedFile file = PositionedFile.Open(path);
            byte[] head = new byte[(int)Math.Min(status.Identity.Length, FormatLimits.LfsPointerBytes)];
            file.Read(0, head);
            if (file.Length <= FormatLimits.LfsPointerBytes) LfsPointer.ThrowIfPointer(head, path);
            if (FileMagic.IsSafetensors(head, file.Length))
            {
                return new CheckpointFormatException(
                    FormatError.FileIsSomethingElse,
                    $"{FileProbe.ShortName(path)} is a safetensors file with a PyTorch name",
                    path,
                    facts: [("size", DisplayText.Bytes(file.Length))],
                    action: "rename it to end with .safetensors");
            }
        }

        return new CheckpointFormatException(
            FormatError.PickleUnsupported,
            "the weights are PyTorch pickle files, which are not read yet",
            folder,
            facts: ItemList.Of([.. names.Select(name => (DisplayText.Escape(name), "not opened as a pickle"))]),
            action: "convert them to safetensors: load with transformers, then save_pretrained(..., safe_serialization=True)");
    }

    private static CheckpointFormatException Pipeline(string folder, IReadOnlyList<string> names)
    {
        string[] components = [.. names.Where(name => HoldsSafetensors(Path.Combine(folder, name)))];
        return new CheckpointFormatException(
            FormatError.FileMissing,
            $"{FileProbe.ShortName(folder)} is a diffusers pipeline; its weights are in component folders",
            folder,
            facts: [("components", components.Length > 0 ? ItemList.Names(components) : "none with safetensors weights")],
            action: $"give one component folder, for example {(components.Contains("unet") ? "unet" : "transformer")}/");
    }

    private static bool HoldsSafetensors(string path) =>
        FileStatus.TryGet(path, followLinks: true, out FileStatus status, out _)
        && status.Kind == FileKind.Folder
        && FolderListing.Names(path).Any(name => name.EndsWith(".safetensors", StringComparison.Ordinal));
}
