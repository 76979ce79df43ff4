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

    private string? FirstName => (_matrix?.Names ?? _vectors.Keys).FirstOrDefault();

    /// <summary>Opens a file: safetensors by its ending, else an imatrix.</summary>
    /// <exception cref="CheckpointFormatException">It cannot be read.</exception>
    public static Importance Open(string path) => new(path);

    /// <summary>Refuses a file that says nothing of any tensor that would be quantized: it is another model's.</summary>
    /// <param name="path">The file, or null for none.</param>
    /// <param name="tensors">All of an output's.</param>
    /// <exception cref="UserErrorException">IMPORTANCE: it is.</exception>
    public static void RefuseStranger(string? path, IEnumerable<TensorPlan> tensors)
    {
        if (path is null) return;
        List<TensorPlan> quantized = [.. tensors.Where(tensor => tensor.Quantization is not null)];
        if (quantized.Count == 0 || quantized.Exists(tensor => tensor.Quantization!.Importance is not null)) return;
        throw new UserErrorException(ExitCode.InputUnsupported, "IMPORTANCE", "the importance file says nothing of any tensor that is quantized")
        {
            File = path,
            Facts = [("names", Open(path).FirstName is { } name ? $"{DisplayText.Escape(name)} and so on" : "none"), ("of the model", DisplayText.Escape(quantized[0].Name))],
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
