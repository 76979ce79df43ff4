using Bnb.Formats.HuggingFace;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.Checkpoints;

/// <summary>
/// A model as it lies on disk: weight files with checked headers, config and side files. Opening reads no weights and keeps
/// no file open.
/// </summary>
public sealed class Checkpoint
{
    private Checkpoint(string folder, CheckpointLayout layout, IReadOnlyList<CheckpointFile> files)
    {
        Folder = folder;
        Files = files;
        WeightsBaseName = layout.BaseName;
        IndexPath = layout.IndexPath;
        (Tensors, IReadOnlyList<string> overlays) = IndexOverlay.Apply([.. files.SelectMany(file => file.Tensors)], layout.Index);
        Notes = [.. layout.Notes, .. overlays, .. files.SelectMany(file => file.Notes), .. ShardCheck.Run(this, layout)];
    }

    /// <summary>The folder the weights are in.</summary>
    public string Folder { get; }

    /// <summary>The weight files, sorted by name.</summary>
    public IReadOnlyList<CheckpointFile> Files { get; }

    /// <summary>All tensors: file by file, each file's in the order of its data.</summary>
    public IReadOnlyList<CheckpointTensor> Tensors { get; }

    /// <summary>The config.json, or null when there is none.</summary>
    public ModelConfig? Config { get; private init; }

    /// <summary>Where it is, or null.</summary>
    public string? ConfigPath { get; private init; }

    /// <summary>The shard index that was used, or null.</summary>
    public string? IndexPath { get; }

    /// <summary>
    /// What names of safetensors files with these weights start with: <c>model</c>, <c>diffusion_pytorch_model</c>, or the
    /// name of the one file without its ending.
    /// </summary>
    public string WeightsBaseName { get; }

    /// <summary>
    /// What the weight files of a model made from this one are called, so that loaders find them. Beside a config a single file
    /// may have any name; a loader looks for <c>diffusion_pytorch_model</c> where the config names a class of diffusers, else
    /// for <c>model</c>. Without a config <see cref="WeightsBaseName"/>.
    /// </summary>
    public string OutputBaseName => Config is not { } config || WeightsBaseName is WeightForm.Transformers or WeightForm.Diffusers
        ? WeightsBaseName
        : config.IsDiffusers ? WeightForm.Diffusers : WeightForm.Transformers;

    /// <summary>What is odd but no error, one sentence each; texts from files are escaped.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>Whether a folder has weights of a variant; false for a file.</summary>
    /// <param name="path">Folder or file.</param>
    /// <param name="variant">Its name, such as <c>fp16</c>.</param>
    public static bool HasVariant(string path, string variant) =>
        Directory.Exists(path) && CheckpointLayout.HasVariant(FolderListing.Names(path), variant);

    /// <summary>What travels with the weights; empty when one file was opened.</summary>
    public SideFileList SideFiles { get; private init; } = SideFileList.Empty;

    /// <summary>
    /// Opens a model folder or one file of weights, safetensors or PyTorch. Reads and checks every header, the index, the config and the names of
    /// all side files, so that what can be known to be wrong is known before any work. Several unusable weight files are
    /// reported together. Quantized checkpoints open; see <see cref="QuantizedSource"/>.
    /// </summary>
    /// <param name="path">The folder or file.</param>
    /// <param name="requireConfig">True when a missing config.json is an error.</param>
    /// <param name="followSymlinks">True to take side files that are links out of the folder.</param>
    /// <param name="variant">Of a folder, the variant of the weights that is wanted, such as <c>fp16</c>; null for the plain ones.</param>
    /// <exception cref="CheckpointFormatException">Something breaks a rule.</exception>
    /// <exception cref="IOException">The device reported an error.</exception>
    public static Checkpoint Open(string path, bool requireConfig, bool followSymlinks = false, string? variant = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!FileStatus.TryGet(path, followLinks: true, out FileStatus status, out int errno))
            throw FileProbe.StatFailed(path, errno);
        return status.Kind == FileKind.Folder
            ? OpenFolder(path, requireConfig, followSymlinks, variant)
            : OpenFile(path, status, requireConfig);
    }

    private static Checkpoint OpenFile(string path, FileStatus status, bool requireConfig)
    {
        if (status.Kind != FileKind.Regular) throw FileProbe.NotRegular(path, status);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string name = Path.GetFileName(path);
        CheckpointLayout layout = new([name], WeightForm.BaseName(name), null, null, []);
        CheckpointFile file = WeightFiles.OpenOne(path, name);
        string? configPath = FindConfig(folder, requireConfig);
        return new Checkpoint(folder, layout, [file]) { ConfigPath = configPath, Config = ReadConfig(configPath) };
    }

    private static Checkpoint OpenFolder(string folder, bool requireConfig, bool followSymlinks, string? variant)
    {
        CheckpointLayout layout = CheckpointLayout.Find(folder, variant);
        IReadOnlyList<CheckpointFile> files = WeightFiles.Open(folder, layout.FileNames);
        string? configPath = FindConfig(folder, requireConfig);
        HashSet<string> own = [.. layout.FileNames, "config.json"];
        if (layout.IndexPath is not null) own.Add(Path.GetFileName(layout.IndexPath));
        return new Checkpoint(folder, layout, files)
        {
            ConfigPath = configPath,
            Config = ReadConfig(configPath),
            SideFiles = SideFileScan.Run(folder, followSymlinks, own),
        };
    }

    private static string? FindConfig(string folder, bool required)
    {
        string path = Path.Combine(folder, "config.json");
        if (FileProbe.EntryExists(path)) return path;
        return !required ? null : throw new CheckpointFormatException(
            FormatError.FileMissing,
            "there is no config.json beside the weights, so nowhere to say how they are quantized",
            path,
            action: "download config.json into the same folder");
    }

    private static ModelConfig? ReadConfig(string? path) => path is null
        ? null
        : ModelConfig.Parse(FileProbe.ReadSmall(path, FormatLimits.ConfigBytes, FormatError.ConfigNotJson), path);
}
