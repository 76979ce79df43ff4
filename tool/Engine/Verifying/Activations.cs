using System.Collections.Concurrent;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Backends;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.Verifying;

/// <summary>X of one product: [Tokens, K] rounded to the compute dtype, and the same values as float32.</summary>
internal sealed record ActivationMatrix(int Tokens, int Columns, ElementType Type, byte[] Stored, float[] Values)
{
    private readonly Lock _lock = new();
    private QuantizedActivations? _int8;
    private ProductInputs? _inputs;

    /// <summary>X and |X| as FP32 multiplies them; made once, the path being that of the run.</summary>
    public ProductInputs Inputs(KernelPath path)
    {
        lock (_lock) return _inputs ??= ProductInputs.Of(Tokens, Columns, Values, path);
    }

    /// <summary>As LLM.int8() multiplies them; made once, the threshold being that of the run.</summary>
    public QuantizedActivations Int8(float threshold)
    {
        lock (_lock) return _int8 ??= new QuantizedActivations(this, Columns, threshold);
    }
}

/// <summary>Activations and their magnitudes, which error bounds need, rearranged for the products of every panel.</summary>
internal sealed record ProductInputs(SgemmInput Values, SgemmInput Magnitudes)
{
    public static ProductInputs Of(int tokens, int columns, float[] values, KernelPath path) => new(
        new SgemmInput(tokens, columns, values, path), new SgemmInput(tokens, columns, Array.ConvertAll(values, Math.Abs), path));
}

/// <summary>
/// Where activations come from: normal random numbers that depend on seed and width alone, or a file with real ones by
/// layer name.
/// </summary>
internal sealed class Activations
{
    private const float OutlierScale = 20f;

    private readonly VerifyRequest _request;
    private readonly ElementType _type;
    private readonly ConcurrentDictionary<long, Lazy<ActivationMatrix>> _random = new();
    private readonly Dictionary<string, CheckpointTensor> _recorded = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Lazy<ActivationMatrix>> _read = new(StringComparer.Ordinal);

    public Activations(VerifyRequest request, ElementType type)
    {
        (_request, _type) = (request, type);
        if (request.ActivationsPath is not { } path) return;
        foreach (CheckpointTensor tensor in Checkpoint.Open(path, requireConfig: false).Tensors) _recorded[tensor.Name] = tensor;
    }

    /// <summary>Rows of X for a layer.</summary>
    public int TokensFor(string weightName, int tokens) =>
        Recorded(weightName) is { Shape.Rank: 2 } tensor ? (int)Math.Min(tensor.Shape.Dimensions[0], int.MaxValue) : tokens;

    /// <exception cref="UserErrorException">The recorded activations do not fit the layer.</exception>
    public ActivationMatrix For(string weightName, long width) => Recorded(weightName) is { } tensor
        ? _read.GetOrAdd(weightName, _ => new Lazy<ActivationMatrix>(() => Read(tensor, width))).Value
        : _random.GetOrAdd(width, key => new Lazy<ActivationMatrix>(() => Random(key))).Value;

    /// <summary>Forgets what was recorded for a layer that is done; random ones serve every layer of their width.</summary>
    public void Release(string weightName) => _read.TryRemove(weightName, out _);

    private CheckpointTensor? Recorded(string weightName)
    {
        string module = ModuleName.WithoutWeight(weightName);
        return _recorded.GetValueOrDefault(module) ?? _recorded.GetValueOrDefault(weightName);
    }

    private ActivationMatrix Read(CheckpointTensor tensor, long width)
    {
        ElementType? stored = FloatTypes.Of(tensor.DType);
        if (stored is null || tensor.Shape.Rank != 2 || tensor.Shape.Dimensions[1] != width || tensor.ByteCount > Array.MaxLength / 2)
        {
            throw new UserErrorException(ExitCode.Usage, "ACTIVATIONS", "the recorded activations do not fit the layer")
            {
                File = tensor.File.Path,
                Tensor = tensor.Name,
                Facts = [("found", $"{tensor.DType.Name()} {tensor.Shape}"), ("expected", $"F32, F16 or BF16 [tokens, {width}]")],
            };
        }

        byte[] bytes = new byte[tensor.ByteCount];
        using (WeightReader file = WeightReader.Open(tensor.File)) file.Read(tensor, 0, bytes);
        var values = new float[tensor.Shape.ElementCount];
        Widen.ToSingle(stored.Value, bytes, values);
        return Round((int)tensor.Shape.Dimensions[0], (int)width, values);
    }

    private ActivationMatrix Random(long width)
    {
        var values = new float[_request.Tokens * width];
        ulong state = _request.Seed ^ ((ulong)width * 0x9E3779B97F4A7C15);
        for (int i = 0; i < values.Length; i += 2)
        {
            (double first, double second) = Normals(ref state);
            values[i] = (float)first;
            if (i + 1 < values.Length) values[i + 1] = (float)second;
        }

        // Each at most once: twice would be 400 times as large, and a few times more beyond float16.
        var outliers = new HashSet<long>();
        while (outliers.Count < Math.Min(_request.OutlierChannels, width))
        {
            long channel = (long)(Next(ref state) % (ulong)width);
            if (!outliers.Add(channel)) continue;
            for (int token = 0; token < _request.Tokens; token++) values[(token * width) + channel] *= OutlierScale;
        }

        return Round(_request.Tokens, (int)width, values);
    }

    private ActivationMatrix Round(int tokens, int columns, float[] values)
    {
        var stored = new byte[values.Length * _type.Size()];
        Narrow.FromSingle(_type, values, stored);
        Widen.ToSingle(_type, stored, values);
        return new ActivationMatrix(tokens, columns, _type, stored, values);
    }

    /// <summary>Two independent normals by Box and Muller.</summary>
    private static (double First, double Second) Normals(ref ulong state)
    {
        double radius = Math.Sqrt(-2 * Math.Log(((Next(ref state) >> 11) + 0.5) * (1.0 / (1UL << 53))));
        double angle = 2 * Math.PI * ((Next(ref state) >> 11) * (1.0 / (1UL << 53)));
        return (radius * Math.Cos(angle), radius * Math.Sin(angle));
    }

    /// <summary>splitmix64.</summary>
    private static ulong Next(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
