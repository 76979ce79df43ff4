using System.Globalization;
using Bnb.Formats.Primitives;
using Bnb.Formats.Sharded;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.Checkpoints;

/// <summary>
/// Honours an index that overrides stale copies: where several files have a tensor of one name and the index names one of
/// them, that one is the tensor, as loaders that go by the index have it.
/// </summary>
internal static class IndexOverlay
{
    /// <summary>Leaves out the copies that the index passes over. Other duplicates stay, for the check to refuse.</summary>
    public static (IReadOnlyList<CheckpointTensor> Tensors, IReadOnlyList<string> Notes) Apply(IReadOnlyList<CheckpointTensor> tensors, ShardIndex? index)
    {
        HashSet<string> names = new(tensors.Count, StringComparer.Ordinal);
        HashSet<string> repeated = new(StringComparer.Ordinal);
        foreach (CheckpointTensor tensor in tensors)
            if (!names.Add(tensor.Name)) repeated.Add(tensor.Name);

        if (repeated.Count == 0 || index is null) return (tensors, []);
        Dictionary<string, string> wanted = new(StringComparer.Ordinal);
        foreach ((string name, string file) in index.WeightMap)
            if (repeated.Contains(name)) wanted[name] = file;

        HashSet<string> present = new(
            tensors.Where(tensor => wanted.TryGetValue(tensor.Name, out string? file) && tensor.File.Name == file).Select(static tensor => tensor.Name),
            StringComparer.Ordinal);
        if (present.Count == 0) return (tensors, []);
        List<CheckpointTensor> kept = [.. tensors.Where(tensor => !present.Contains(tensor.Name) || tensor.File.Name == wanted[tensor.Name])];
        string count = present.Count.ToString(CultureInfo.InvariantCulture);
        return (kept, [$"{count} tensors are in more than one file; those that the index names are used: {ItemList.Names([.. present.Order(StringComparer.Ordinal)])}"]);
    }
}
