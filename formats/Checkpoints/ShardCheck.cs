using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.Checkpoints;

/// <summary>Compares the files of a checkpoint with each other and with the index.</summary>
internal static class ShardCheck
{
    /// <summary>Returns what is odd but loadable.</summary>
    /// <exception cref="CheckpointFormatException">IDX-TENSOR: a tensor is in two files, or not where the index says.</exception>
    public static IReadOnlyList<string> Run(Checkpoint checkpoint, CheckpointLayout layout)
    {
        Dictionary<string, CheckpointFile> places = new(checkpoint.Tensors.Count, StringComparer.Ordinal);
        long total = 0;
        foreach (CheckpointTensor tensor in checkpoint.Tensors)
        {
            total += tensor.ByteCount;
            if (places.TryAdd(tensor.Name, tensor.File)) continue;
            string[] both = [places[tensor.Name].Name, tensor.File.Name];
            throw Error(layout.IndexPath ?? checkpoint.Folder, tensor.Name, "is in two files", both);
        }

        if (layout.Index is not { } index) return [];
        foreach ((string name, string shard) in index.WeightMap)
        {
            if (!places.TryGetValue(name, out CheckpointFile? file))
                throw Error(layout.IndexPath!, name, "is in none of the files", [shard]);
            if (file.Name != shard)
                throw Error(layout.IndexPath!, name, "is not in the file the index names", [shard, file.Name]);
        }

        List<string> notes = [];
        // The index names none twice, and all that it names are there.
        if (index.WeightMap.Count < places.Count)
        {
            HashSet<string> listed = new(index.WeightMap.Select(static entry => entry.Key), StringComparer.Ordinal);
            string[] extra = [.. checkpoint.Tensors.Select(tensor => tensor.Name).Where(name => !listed.Contains(name))];
            notes.Add($"tensors that the index does not list are kept: {ItemList.Names(extra)}");
        }

        if (index.TotalSize is { } claimed && claimed != total)
            notes.Add($"the index says {DisplayText.Bytes(claimed)} in all, the tensors have {DisplayText.Bytes(total)}");
        return notes;
    }

    private static CheckpointFormatException Error(string file, string tensor, string what, string[] shards) => new(
        FormatError.IndexTensor,
        $"{FileProbe.ShortName(file)}: tensor {DisplayText.Escape(tensor)} {what}",
        file,
        tensor,
        [("files", string.Join(", ", shards.Select(DisplayText.Escape)))],
        "download the index and the files again, all from one revision");
}
