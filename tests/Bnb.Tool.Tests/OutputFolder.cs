using System.Security.Cryptography;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Tool.Tests;

/// <summary>Reads back what a run wrote.</summary>
internal static class OutputFolder
{
    /// <summary>Every tensor of a checkpoint with its bytes.</summary>
    public static Dictionary<string, (TensorInfo Info, byte[] Bytes)> Tensors(string path)
    {
        var tensors = new Dictionary<string, (TensorInfo, byte[])>(StringComparer.Ordinal);
        foreach (CheckpointTensor tensor in Checkpoint.Open(path, requireConfig: false).Tensors)
        {
            using WeightReader file = WeightReader.Open(tensor.File);
            byte[] bytes = new byte[tensor.ByteCount];
            file.Read(tensor, 0, bytes);
            tensors[tensor.Name] = (tensor.Info, bytes);
        }

        return tensors;
    }

    /// <summary>SHA-256 of every file by relative name, sorted: equal texts mean equal folders.</summary>
    public static string Fingerprint(string folder) => Fingerprint(folder, _ => true);

    /// <summary>The same without the manifest, which names the source: for outputs of the same weights in other files.</summary>
    public static string FingerprintOfModel(string folder) => Fingerprint(folder, name => name != "bnb-manifest.json");

    private static string Fingerprint(string folder, Func<string, bool> isCompared) => string.Join('\n', Directory
        .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Where(path => isCompared(Path.GetFileName(path)))
        .OrderBy(path => path, StringComparer.Ordinal)
        .Select(path => $"{Path.GetRelativePath(folder, path)} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))}"));

    /// <summary>Bytes of all weight files of a folder, headers included.</summary>
    public static long WeightFileBytes(string folder) =>
        Directory.EnumerateFiles(folder, "*.safetensors").Sum(path => new FileInfo(path).Length);
}
