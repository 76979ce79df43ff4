using Bnb.Engine.Errors;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Gguf;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Plans;

/// <summary>
/// What an error in each input feature of a weight weighs: the mean squares of recorded activations, from llama.cpp's imatrix
/// or from a safetensors file with one vector per weight or module name.
/// </summary>
internal sealed class Importance
{
    private const string RecordAgain = "give the importance that was recorded from this model, as evaluate --save-importance does";

    private readonly string _path;
    private readonly ImportanceMatrix? _matrix;
    private readonly Dictionary<string, CheckpointTensor> _vectors = new(StringComparer.Ordinal);

    private Importance(string path)
    {
        _path = path;
        if (!path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
        {
            _matrix = ImportanceMatrix.Read(path);
            return;
        }

        foreach (CheckpointTensor tensor in Checkpoint.Open(path, requireConfig: false).Tensors) _vectors[tensor.Name] = tensor;
    }

    private bool Names(string tensorName) => _matrix is null
        ? _vectors.ContainsKey(tensorName) || _vectors.ContainsKey(ModuleName.WithoutWeight(tensorName))
        : LlamaNames.Map(tensorName) is { } name && _matrix.Find(name.Name) is not null;

    private string? FirstName => (_matrix?.Names ?? _vectors.Keys).FirstOrDefault();

    /// <summary>Opens a file: safetensors by its ending, else an imatrix.</summary>
    /// <exception cref="CheckpointFormatException">It cannot be read.</exception>
    public static Importance Open(string path) => new(path);

    /// <summary>Refuses a file that names no tensor of a model, quantized or not: it is another model's.</summary>
    /// <param name="path">The file, or null for none.</param>
    /// <param name="tensors">All of the model's.</param>
    /// <exception cref="UserErrorException">IMPORTANCE: it is.</exception>
    public static void RefuseStranger(string? path, IEnumerable<TensorPlan> tensors)
    {
        if (path is null) return;
        Importance file = Open(path);
        List<TensorPlan> all = [.. tensors];
        TensorPlan? first = all.Find(tensor => tensor.Quantization is not null);
        if (first is null || all.Exists(tensor => file.Names(tensor.Name))) return;
        throw new UserErrorException(ExitCode.InputUnsupported, "IMPORTANCE", "the importance file names no tensor of this model")
        {
            File = path,
            Facts = [("found", file.FirstName is { } name ? $"{DisplayText.Escape(name)} and so on" : "none"), ("expected", DisplayText.Escape(first.Name))],
            Action = RecordAgain,
        };
    }

    /// <summary>The weights of a tensor's input features; null when the file does not know the tensor.</summary>
    /// <exception cref="CheckpointFormatException">The imatrix has another number of channels for it.</exception>
    /// <exception cref="UserErrorException">The vector has another number of values, or one that is no mean square.</exception>
    public float[]? For(string tensorName, long columns)
    {
        if (_matrix is not null) return _matrix.For(tensorName, columns);
        string module = ModuleName.WithoutWeight(tensorName);
        return (_vectors.GetValueOrDefault(tensorName) ?? _vectors.GetValueOrDefault(module)) is { } vector ? Read(vector, columns) : null;
    }

    private float[] Read(CheckpointTensor vector, long columns)
    {
        ElementType? type = FloatTypes.Of(vector.DType);
        if (type is null || vector.Shape.ElementCount != columns || vector.ByteCount > Array.MaxLength)
            throw Wrong(vector, "has not one number per input feature", $"{vector.DType.Name()} {vector.Shape}", $"F32, F16 or BF16 [{columns}]");

        byte[] bytes = new byte[vector.ByteCount];
        using (WeightReader file = WeightReader.Open(vector.File)) file.Read(vector, 0, bytes);
        var values = new float[columns];
        Widen.ToSingle(type.Value, bytes, values);
        int wrong = Array.FindIndex(values, static value => !(value >= 0 && value < float.PositiveInfinity));
        return wrong < 0 ? values : throw Wrong(vector, $"has {values[wrong]} at {wrong}, which is no mean square", $"{values[wrong]}", "0 or more");
    }

    private UserErrorException Wrong(CheckpointTensor vector, string what, string found, string expected) =>
        new(ExitCode.InputUnsupported, "IMPORTANCE", $"the importance of {DisplayText.Escape(vector.Name)} {what}")
        {
            File = _path,
            Tensor = vector.Name,
            Facts = [("found", found), ("expected", expected)],
            Action = RecordAgain,
        };
}
