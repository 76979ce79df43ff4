using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Plans;

/// <summary>A weight file of the source by what a plan depends on.</summary>
/// <param name="Name">Its place below the source folder.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="HeaderSha256">
/// SHA-256 of the header: of a safetensors file the JSON between its length and the data; of another file a line
/// <c>NAME DTYPE SHAPE</c> for each tensor, in the order in which they are read.
/// </param>
internal sealed record SourceRecord(string Name, long Bytes, string HeaderSha256)
{
    private const int PrefixBytes = 8;

    /// <summary>Those of a model, in the order of its files.</summary>
    /// <exception cref="CheckpointFormatException">A file became shorter.</exception>
    public static IReadOnlyList<SourceRecord> Of(OutputPart part) =>
        [.. Of(part.Source).Select(record => record with { Name = part.Prefix + record.Name })];

    /// <summary>Those of a checkpoint by itself, in the order of its files.</summary>
    /// <exception cref="CheckpointFormatException">A file became shorter.</exception>
    public static IReadOnlyList<SourceRecord> Of(Checkpoint source)
    {
        ILookup<CheckpointFile, CheckpointTensor> tensors = source.Tensors.ToLookup(tensor => tensor.File);
        return [.. source.Files.Select(file => new SourceRecord(file.Name, file.Identity.Length, HeaderOf(file, tensors[file])))];
    }

    /// <summary>
    /// A text that changes with any source file: lengths and times, which need no reading. Not a part of the plan, because
    /// another copy of the same source has other times; a run that goes on with what another began compares it.
    /// </summary>
    public static string StateOf(IEnumerable<CheckpointFile> files)
    {
        var text = new StringBuilder();
        foreach (CheckpointFile file in files) text.Append($"{file.Identity.Length} {file.Identity.ModifiedNs} {file.Identity.ChangedNs}\n");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private static string HeaderOf(CheckpointFile file, IEnumerable<CheckpointTensor> tensors)
    {
        if (!file.Name.EndsWith(".safetensors", StringComparison.Ordinal))
        {
            string lines = string.Concat(tensors.Select(tensor => $"{tensor.Name} {tensor.DType.Name()} {tensor.Shape}\n"));
            return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(lines)));
        }

        using PositionedFile opened = PositionedFile.Open(file.Path);
        byte[] prefix = new byte[PrefixBytes];
        opened.Read(0, prefix);
        // Bounded: the header was read and checked before.
        return FileRecord.Hash(opened, PrefixBytes, Math.Min(BinaryPrimitives.ReadInt64LittleEndian(prefix), opened.Length - PrefixBytes));
    }
}
