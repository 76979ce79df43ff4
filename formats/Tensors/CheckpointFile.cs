using Bnb.Formats.IO;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Torch;

namespace Bnb.Formats.Tensors;

/// <summary>One weight file of a checkpoint and what it says about its tensors, checked.</summary>
public sealed class CheckpointFile
{
    private static readonly Dictionary<string, string> OfTorch = new() { ["format"] = "pt" };

    internal CheckpointFile(string path, string name, FileIdentity identity, SafetensorsHeader header)
    {
        (Path, Name, Identity) = (path, name, identity);
        (DataStart, Metadata) = (header.DataStart, header.Metadata);
        Tensors = [.. header.Tensors.Select(info => new CheckpointTensor(info, this))];
    }

    internal CheckpointFile(string path, string name, FileIdentity identity, TorchFile torch)
    {
        (Path, Name, Identity) = (path, name, identity);
        Tensors = [.. torch.Tensors.Select(tensor => new CheckpointTensor(tensor.Info, this) { Stored = tensor })];
        Metadata = OfTorch;
        Notes = torch.Notes;
    }

    /// <summary>Where to read it.</summary>
    public string Path { get; }

    /// <summary>Its place below the checkpoint's folder, parts separated by <c>/</c>.</summary>
    public string Name { get; }

    /// <summary>The file as it was when its header was read.</summary>
    public FileIdentity Identity { get; }

    /// <summary>Its tensors: those of a safetensors file in the order of their data, those of another as a safetensors file
    /// would have them.</summary>
    public IReadOnlyList<CheckpointTensor> Tensors { get; }

    /// <summary>Where the offsets of its tensors count from, in bytes.</summary>
    public long DataStart { get; }

    /// <summary>Its metadata. A PyTorch file has none; it gets what a safetensors file saved from PyTorch has.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>What is odd about it but no error, one sentence each; texts from the file are escaped.</summary>
    public IReadOnlyList<string> Notes { get; } = [];
}
