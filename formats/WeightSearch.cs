using Bnb.Formats.IO;

namespace Bnb.Formats;

/// <summary>What the recognizers of the quantized layouts share: each takes the tensors it knows and leaves the rest.</summary>
internal sealed class WeightSearch
{
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    public WeightSearch(Checkpoint source)
    {
        Source = source;
        foreach (CheckpointTensor tensor in source.Tensors) ByName.TryAdd(tensor.Name, tensor);
    }

    public Checkpoint Source { get; }

    public Dictionary<string, CheckpointTensor> ByName { get; } = new(StringComparer.Ordinal);

    public List<QuantizedWeight> Weights { get; } = [];

    public List<WeightProblem> Problems { get; } = [];

    /// <summary>The tensors that no recognizer has taken so far.</summary>
    public IReadOnlyList<CheckpointTensor> Remaining => [.. Source.Tensors.Where(tensor => !_taken.Contains(tensor.Name))];

    public bool IsTaken(string name) => _taken.Contains(name);

    /// <summary>These are no plain tensors and no concern of a later recognizer.</summary>
    public void Take(params IEnumerable<string> names) => _taken.UnionWith(names);

    /// <summary>The tensor of this name, unless it is taken.</summary>
    public CheckpointTensor? Find(string name) =>
        ByName.TryGetValue(name, out CheckpointTensor? tensor) && !IsTaken(name) ? tensor : null;

    public void Fatal(string rule, string tensor, string text) => Problems.Add(new WeightProblem(rule, tensor, text, IsFatal: true));

    public void Remark(string rule, string tensor, string text) => Problems.Add(new WeightProblem(rule, tensor, text, IsFatal: false));

    /// <summary>The bytes of small tensors, one at a time, each file opened once. The caller has bounded their length.</summary>
    public static IEnumerable<(CheckpointTensor Tensor, byte[] Bytes)> Contents(IEnumerable<CheckpointTensor> tensors)
    {
        foreach (var file in tensors.GroupBy(tensor => tensor.File, ReferenceEqualityComparer.Instance))
        {
            using PositionedFile reader = PositionedFile.Open(file.First().File.Path);
            foreach (CheckpointTensor tensor in file)
            {
                byte[] bytes = new byte[tensor.ByteCount];
                reader.Read(tensor.FileOffset, bytes);
                yield return (tensor, bytes);
            }
        }
    }

    /// <summary>The bytes of tensors of a few bytes by their names; the first of two with one name.</summary>
    public static Dictionary<string, byte[]> ReadAll(IEnumerable<CheckpointTensor> tensors)
    {
        var contents = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach ((CheckpointTensor tensor, byte[] bytes) in Contents(tensors)) contents.TryAdd(tensor.Name, bytes);
        return contents;
    }
}
