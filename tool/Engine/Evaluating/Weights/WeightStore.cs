using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Splitting;
using Bnb.Engine.Work;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Evaluating.Weights;

/// <summary>
/// The weights of one checkpoint as float32, plain or decoded, by the names and shapes that a model asks for. Reads what is
/// asked for and keeps nothing. Calls from several threads take turns.
/// </summary>
internal sealed class WeightStore : IDisposable
{
    private readonly Dictionary<string, StoredWeight> _weights = new(StringComparer.Ordinal);
    private readonly TensorSource _source;
    private readonly DenseBuffers _buffers;
    private readonly ComputeEngine _engine;
    private readonly ElementType _computeType;
    private readonly string _basePrefix;
    private readonly Lock _lock = new();

    /// <param name="checkpoint">Any mix of plain and quantized weights.</param>
    /// <param name="basePrefix">What names may lack: checkpoints of bare models do without it.</param>
    /// <param name="computeType">What values are rounded to; float32 for none.</param>
    /// <exception cref="CheckpointFormatException">A quantized weight is broken, or of a format that is not read.</exception>
    public WeightStore(QuantizedCheckpoint checkpoint, string basePrefix, ElementType computeType, ComputeEngine engine)
    {
        checkpoint.ThrowIfBroken();
        Checkpoint = checkpoint;
        foreach (QuantizedWeight packed in checkpoint.Weights) _weights[packed.Name] = new StoredWeight(packed.Stored, packed);
        foreach (CheckpointTensor plain in checkpoint.Plain) _weights.TryAdd(plain.Name, new StoredWeight(plain, null));
        AddSingleExperts();
        _source = new TensorSource(checkpoint.Source.Files);
        BufferNeeds needs = BufferNeeds.Of(
            checkpoint.Weights.Select(DataTypeCatalog.BuffersOf),
            checkpoint.Plain.Where(tensor => DenseReader.CanRead(tensor.DType)).Select(tensor => tensor.DType.BitSize() / 8).Append(sizeof(float)),
            gathers: false,
            denseReaders: 1);
        _buffers = new DenseBuffers(MemoryBudget.Divide(needs, threads: 1, long.MaxValue, CpuEngine.ChunkValues));
        (_basePrefix, _computeType, _engine) = (basePrefix, computeType, engine);
    }

    /// <summary>The files behind it.</summary>
    public QuantizedCheckpoint Checkpoint { get; }

    /// <summary>Whether the checkpoint has a tensor of this name.</summary>
    public bool Has(WeightUse use) => Find(use.Name) is not null;

    /// <summary>Checks that a weight is there in the shape that is wanted, before anything is read.</summary>
    /// <exception cref="UserErrorException">MODEL-TENSOR.</exception>
    public void Check(WeightUse use) => Require(use);

    /// <summary>Reads a whole matrix or vector.</summary>
    /// <param name="values">Rows * columns of it, outputs first.</param>
    /// <exception cref="UserErrorException">MODEL-TENSOR: it is missing or has another shape.</exception>
    public void Load(WeightUse use, Span<float> values)
    {
        StoredWeight stored = Require(use);
        long first = use.Count * (use.Index ?? 0);
        if (!use.InputsFirst || stored.Packed is not null)
        {
            LoadRange(stored, first, values);
            return;
        }

        float[] inputsFirst = new float[use.Count];
        LoadRange(stored, first, inputsFirst);
        Transpose(inputsFirst, use.Columns, use.Rows, values);
    }

    /// <summary>Reads some rows of a matrix that is stored with outputs first.</summary>
    /// <exception cref="UserErrorException">MODEL-TENSOR: it is missing or has another shape.</exception>
    public void LoadRows(WeightUse use, int first, int count, Span<float> values) =>
        LoadRange(Require(use), (long)first * use.Columns, values[..(count * use.Columns)]);

    /// <inheritdoc/>
    public void Dispose() => _source.Dispose();

    /// <summary>source[rows, columns] to target[columns, rows].</summary>
    private static void Transpose(ReadOnlySpan<float> source, int rows, int columns, Span<float> target)
    {
        const int Tile = 32;
        for (int row = 0; row < rows; row += Tile)
        {
            for (int column = 0; column < columns; column++)
            {
                for (int r = row; r < Math.Min(row + Tile, rows); r++) target[(column * rows) + r] = source[(r * columns) + column];
            }
        }
    }

    /// <summary>Models ask for experts one by one; where the checkpoint has stacks, for a part of these.</summary>
    private void AddSingleExperts()
    {
        IEnumerable<TensorPlan> packed = Checkpoint.Weights.Select(weight =>
            DenseTensors.Plain(weight.Stored) with { Input = DataTypeCatalog.InputOf(weight, Checkpoint.Source.Config, isConv1D: false) });
        ExpertSplit? split = ExpertSplit.IfKnown(
            [.. Checkpoint.Plain.Select(DenseTensors.Plain), .. packed], ModelFactsReader.Read(Checkpoint.Source.Config));
        foreach (TensorPlan tensor in split?.Tensors ?? [])
        {
            if (tensor.Input is not SlicedInput slice) continue;
            _weights.TryAdd(slice.Name, new StoredWeight(tensor.Source, (slice.Stack.Input as DecodedInput)?.Weight) { Slice = slice });
        }
    }

    private StoredWeight? Find(string name) =>
        _weights.GetValueOrDefault(name)
        ?? (name.StartsWith(_basePrefix, StringComparison.Ordinal) ? _weights.GetValueOrDefault(name[_basePrefix.Length..]) : null);

    private StoredWeight Require(WeightUse use)
    {
        StoredWeight stored = Find(use.Name) ?? throw Wrong(use, "the checkpoint has no such tensor");
        if (!stored.Fits(use)) throw Wrong(use, $"its shape is {stored.ShapeText}");
        if (stored.Packed is null && !DenseReader.CanRead(stored.Tensor.DType)) throw Wrong(use, $"its dtype is {stored.Tensor.DType.Name()}");
        return stored;
    }

    private UserErrorException Wrong(WeightUse use, string found) => new(
        ExitCode.InputMalformed, "MODEL-TENSOR", "a tensor that the model's config asks for is not there as it should be")
    {
        File = Checkpoint.Source.Folder,
        Tensor = use.Name,
        Facts = [("found", found), ("expected", use.Columns == 1 ? $"[{use.Rows}]" : $"[{use.Rows}, {use.Columns}]")],
        Action = "check that config.json belongs to these weights",
    };

    private void LoadRange(StoredWeight stored, long first, Span<float> values)
    {
        // Of a quantized stack a matrix is a run of its rows.
        if (stored.Packed is not null) first += stored.Slice?.First ?? 0;
        lock (_lock)
        {
            DenseReader reader = stored.Packed is { } packed
                ? DenseReader.Of(packed, _computeType, _source, _engine)
                : stored.Slice is { } slice ? DenseReader.Of(new SlicedReader(slice, _source), stored.Tensor.DType)
                : DenseReader.Of(stored.Tensor, _source);
            int multiple = stored.Packed is null ? 1 : DataTypeCatalog.BuffersOf(stored.Packed).ChunkMultiple;
            int chunk = _buffers.Values.Length / multiple * multiple;
            // A chunk begins where the data type lets one begin; what lies before the first value is decoded in vain.
            for (long start = first / multiple * multiple, end = first + values.Length; start < end; start += chunk)
            {
                int count = (int)Math.Min(chunk, end - start);
                reader.Load(start, count, _buffers);
                ReadOnlySpan<float> decoded = reader.Decode(start, count, _buffers);
                int skip = (int)Math.Max(0, first - start);
                decoded[skip..].CopyTo(values[(int)(start + skip - first)..]);
            }
        }

        if (stored.Packed is null) ComputeRounding.Apply(_computeType, values);
    }
}
