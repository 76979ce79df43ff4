using Bnb.Formats.HuggingFace;

namespace Bnb.Formats.Tensors;

/// <summary>What the recognizers of the quantized layouts share: each takes the tensors it knows and leaves the rest.</summary>
public sealed class WeightSearch
{
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    private readonly Dictionary<string, CheckpointTensor> _byName = new(StringComparer.Ordinal);
    private readonly List<QuantizedWeight> _weights = [];
    private readonly List<WeightProblem> _problems = [];

    /// <param name="tensors">All tensors of a checkpoint, in its order.</param>
    /// <param name="config">Its config, or null.</param>
    public WeightSearch(IReadOnlyList<CheckpointTensor> tensors, ModelConfig? config)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        (Tensors, Config) = (tensors, config);
        foreach (CheckpointTensor tensor in tensors) _byName.TryAdd(tensor.Name, tensor);
    }

    /// <summary>All tensors, taken or not, in the checkpoint's order.</summary>
    public IReadOnlyList<CheckpointTensor> Tensors { get; }

    /// <summary>The checkpoint's config, or null.</summary>
    public ModelConfig? Config { get; }

    /// <summary>All tensors, taken or not, by name; the first of two with one name.</summary>
    public IReadOnlyDictionary<string, CheckpointTensor> ByName => _byName;

    /// <summary>The quantized weights found so far.</summary>
    public IReadOnlyList<QuantizedWeight> Weights => _weights;

    /// <summary>The broken rules found so far.</summary>
    public IReadOnlyList<WeightProblem> Problems => _problems;

    /// <summary>The tensors that no recognizer has taken so far.</summary>
    public IReadOnlyList<CheckpointTensor> Remaining => [.. Tensors.Where(tensor => !_taken.Contains(tensor.Name))];

    /// <summary>Whether a recognizer has taken the tensor of this name.</summary>
    public bool IsTaken(string name) => _taken.Contains(name);

    /// <summary>These are no plain tensors and no concern of a later recognizer.</summary>
    public void Take(params IEnumerable<string> names) => _taken.UnionWith(names);

    /// <summary>The tensor of this name, unless it is taken.</summary>
    public CheckpointTensor? Find(string name) =>
        _byName.TryGetValue(name, out CheckpointTensor? tensor) && !IsTaken(name) ? tensor : null;

    /// <summary>Adds a weight that can be decoded.</summary>
    public void Add(QuantizedWeight weight) => _weights.Add(weight);

    /// <summary>Adds a broken rule for which the weight cannot be decoded.</summary>
    public void Fatal(string rule, string tensor, string text) => _problems.Add(new WeightProblem(rule, tensor, text, IsFatal: true));

    /// <summary>Adds a broken rule that only some loaders stumble over.</summary>
    public void Remark(string rule, string tensor, string text) => _problems.Add(new WeightProblem(rule, tensor, text, IsFatal: false));

    /// <summary>The bytes of small tensors, one at a time, each file opened once. The caller has bounded their length.</summary>
    public static IEnumerable<(CheckpointTensor Tensor, byte[] Bytes)> Contents(IEnumerable<CheckpointTensor> tensors)
    {
        foreach (var file in tensors.GroupBy(tensor => tensor.File, ReferenceEqualityComparer.Instance))
        {
            using WeightReader reader = WeightReader.Open(file.First().File);
            foreach (CheckpointTensor tensor in file)
            {
                byte[] bytes = new byte[tensor.ByteCount];
                reader.Read(tensor, 0, bytes);
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
