using Bnb.Engine.DataTypes;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Formats.ScaledFloats;
using Bnb.Formats.Tensors;
using Bnb.Quant.Gemm;

namespace Bnb.Engine.Verifying;

/// <summary>
/// A layer of a type that has no verification of its own: the source is quantized again into memory, by the very work that
/// <c>quantize</c> does, and every stored part is compared with it byte for byte. Needs memory for the packed layer. There is no
/// kernel of the type's own and no theory of its error, so products are those of the decoded weights.
/// </summary>
internal sealed class RederivedLayer(LayerPlan layer, LayerContext context) : RowLayer(layer, context)
{
    private readonly Dictionary<OutputRole, (long Differing, long First)> _parts = [];

    public override long ScaleCount => Layer.Weight.Rows;

    // Nothing is known: only a limit of the user's can be exceeded.
    public override double ExpectedError => 1;

    // Bytes of another orientation are of another shape, or the caller compares them as they are.
    public override bool LooksTransposed() => false;

    protected override void Begin()
    {
        base.Begin();
        byte[] expected = Rederive(out ShardPlan shard);
        Dictionary<string, CheckpointTensor> stored = Layer.Weight.Parts.ToDictionary(part => part.Name, StringComparer.Ordinal);
        foreach (OutputTensor output in shard.Outputs)
        {
            ReadOnlySpan<byte> made = expected.AsSpan((int)output.Info.Begin, (int)output.Info.ByteCount);
            bool isThere = stored.TryGetValue(output.Info.Name, out CheckpointTensor? part) && part.ByteCount == made.Length;
            _parts[output.Role] = isThere ? Compare(made, part!) : (made.Length, 0);
        }
    }

    protected override void CompareStored(
        PanelResult result, long first, int rows, ReadOnlySpan<byte> stored, ReadOnlySpan<float> source, VerifyBuffers buffers)
    {
        result.Compared = source.Length;
        if (first > 0) return;
        (long codes, long firstDifference) = _parts.GetValueOrDefault(OutputRole.Codes, (0, -1));
        long others = _parts.Where(part => part.Key != OutputRole.Codes).Sum(part => part.Value.Differing);
        result.Codes = new CodeComparison.Counts(codes, 0, Math.Min(codes, ScaleCount), codes > 0 ? firstDifference : -1, 0);
        result.Absmax = new AbsmaxComparison.Counts(others, 0, 0);
    }

    protected override void Multiply(
        PanelResult result, int rows, int columns, int checkedRow, ReadOnlySpan<float> source, Span<float> decoded, VerifyBuffers buffers)
    {
        ActivationMatrix x = Context.Activations!.For(Layer.Weight.Name, columns);
        Span<float> products = buffers.Packed.AsSpan(0, x.Tokens * rows);
        Func<int, double, double>? bound = IsDecodedInProducts
            ? Context.Engine.MultiplyFp8(
                x.Tokens, rows, columns, Context.ComputeType, x.Stored, buffers.Found.Codes.AsSpan(0, rows * columns), buffers.Found.Scales.AsSpan(0, rows),
                products)
            : null;
        if (bound is null)
        {
            // What a loader does with a type that it has no kernel for: decode to the compute dtype, multiply densely.
            PanelProducts.RoundTo(Context.ComputeType, decoded, buffers.Source.Raw);
            if (Context.Engine.HasDenseProducts) Context.Engine.Multiply(x.Tokens, rows, columns, x.Values, decoded, products, threads: 1);
            else Sgemm.Run(x.Inputs(Context.Path).Values, rows, decoded, products, threads: 1);
        }

        PanelProducts.Measure(result, x, rows, columns, source, decoded, checkedRow, bound ?? GemmBounds.ForFp32, buffers, Context);
    }

    /// <summary>Whether the loaded codes are E4M3, a scale a row, and decoding rounds them once, to the compute dtype.</summary>
    private bool IsDecodedInProducts => Layer.Weight is ScaledFloatWeight { IsFourBit: false, GridColumns: 1 } weight
        && (weight.OwnDType is not { } own || own == DType.F32 || FloatTypes.Of(own) == Context.ComputeType);

    protected override void CountCodes(
        PanelResult result, int rows, ReadOnlySpan<float> source, ReadOnlySpan<float> decoded, VerifyBuffers buffers)
    {
        float largest = 0;
        foreach (float value in source) largest = Math.Max(largest, Math.Abs(value));
        var histogram = new ErrorHistogram(stackalloc int[ErrorHistogram.Size]);
        histogram.CountErrors(source, decoded, BinsPer(largest));
        histogram.AddErrorsTo(result);
    }

    private byte[] Rederive(out ShardPlan shard)
    {
        TensorPlan plan = Layer.Source;
        shard = ShardLayout.Build([plan], "layer", long.MaxValue)[0];
        if (shard.MaximumLength > Array.MaxLength)
            throw new NotSupportedException($"{Layer.Weight.Name} is too large to be verified in memory");
        byte[] data = new byte[shard.MaximumLength - shard.HeaderLength];
        Quantization quantization = plan.Quantization!;
        MemoryBudget budget = MemoryBudget.Divide(
            BufferNeeds.OfQuantize([plan]), 1, long.MaxValue / 4, Context.PanelValues);
        using var source = new TensorSource([plan], DataTypeCatalog.InputsOn(Context.Engine));
        var pipeline = new PipelineContext(
            Context.Engine, KeepNonFinite: true, Writes: true, budget, source, new PipelineProgress(0), ScratchPath: Path.GetTempFileName);
        using TensorRun run = DataTypeCatalog.RunOf(plan, new ShardRun(shard, 0, (_, _) => new MemorySink(data)), pipeline);
        var buffers = new WorkerBuffers(budget);
        for (long chunk = 0; chunk < run.ChunkCount; chunk++) run.Process(chunk, buffers);
        run.Finish(buffers);
        return data;
    }

    private (long Differing, long First) Compare(ReadOnlySpan<byte> made, CheckpointTensor part)
    {
        byte[] found = new byte[made.Length];
        Context.Source.ReadBytes(part, 0, found);
        if (made.SequenceEqual(found)) return (0, -1);
        long differing = 0, first = -1;
        for (int i = 0; i < made.Length; i++)
        {
            if (made[i] == found[i]) continue;
            differing++;
            if (first < 0) first = i;
        }

        return (differing, first);
    }

    /// <summary>The data section of one shard, in memory.</summary>
    private sealed class MemorySink(byte[] data) : IShardSink
    {
        public void Write(long dataOffset, ReadOnlySpan<byte> bytes) => bytes.CopyTo(data.AsSpan((int)dataOffset));

        public ShardResult Complete(IReadOnlyList<byte[]> states) => new(data.Length, data.Length, []);

        public void Dispose()
        {
        }
    }
}
