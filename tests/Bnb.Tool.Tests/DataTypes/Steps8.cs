using System.Runtime.InteropServices;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Work;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Tool.Tests.DataTypes;

/// <summary>
/// A data type of the tests' own, all of it in this file: a float32 step per row, largest magnitude over 127, and int8 multiples of
/// it. docs/architecture.md says that one file and one row of the catalogue are what a type takes.
/// </summary>
internal sealed class Steps8Type : DataType<Steps8Quantization, Steps8Weight>
{
    public override IReadOnlyList<string> Names { get; } = ["steps8"];

    public override void Recognize(WeightSearch search)
    {
        foreach (CheckpointTensor step in search.Tensors.Where(tensor => tensor.Name.EndsWith(Steps8Recipe.Suffix, StringComparison.Ordinal)))
        {
            string name = step.Name[..^Steps8Recipe.Suffix.Length];
            if (search.Find(name) is not { DType: DType.I8, Shape.Rank: 2 } codes || step.Shape.ElementCount != codes.Shape[0]) continue;
            search.Take(name, step.Name);
            search.Add(new Steps8Weight(name, codes, step));
        }
    }

    protected override TensorRun Run(Steps8Quantization quantization, TensorPlan plan, ShardRun shard, PipelineContext context) =>
        new Steps8Run(plan, quantization, shard, context);

    protected override WeightDecoder Decoder(Steps8Weight weight, TensorSource source, ComputeEngine engine) => new Steps8Decoder(weight, source);

    protected override BufferShape Buffers(Steps8Weight weight) => new(8, Math.Max(1, weight.Columns), 1);

    protected override ElementType? DenseType(Steps8Weight weight) => ElementType.BF16;

    protected override QuantizeRecipe Recipe(Steps8Weight weight) => new Steps8Recipe();
}

internal sealed record Steps8Recipe : QuantizeRecipe
{
    public const string Suffix = ".step";

    public override string Type => "steps8";

    public override PolicyTarget Target => PolicyTarget.Bnb8;

    public override int Blocksize => 1;

    public override IEnumerable<string> CompanionNames(string weightName) => [weightName + Suffix];

    public override Quantization For(DType sourceType, long rows, long columns, bool transpose) =>
        new Steps8Quantization(sourceType, rows, columns, transpose);

    public override byte[] WriteConfig(ModelConfig source, ConfigContent content) =>
        source.InsertQuantizationConfig(BnbQuantizationConfig.ForInt8(content.SkipModules));
}

internal sealed record Steps8Quantization(DType SourceType, long Rows, long Columns, bool Transpose)
    : Quantization(SourceType, Rows, Columns, Transpose)
{
    public override BufferShape Buffers => new(8, Columns, 1);

    public override IEnumerable<PlannedTensor> Outputs(string weightName) =>
    [
        new PlannedTensor(weightName, DType.I8, TensorShape.Of(Rows, Columns), OutputRole.Codes, ValueCount),
        new PlannedTensor(weightName + Steps8Recipe.Suffix, DType.F32, TensorShape.Of(Rows), OutputRole.Scale, Rows * sizeof(float)),
    ];
}

internal sealed record Steps8Weight(string Name, CheckpointTensor Codes, CheckpointTensor Step) : QuantizedWeight(Name, Codes)
{
    public override string Type => "steps8";

    public override long Rows => Codes.Shape[0];

    public override long Columns => Codes.Shape[1];

    public override IEnumerable<CheckpointTensor> Parts => [Codes, Step];
}

internal sealed class Steps8Run(TensorPlan plan, Steps8Quantization quantization, ShardRun shard, PipelineContext context)
    : TensorRun(plan, shard, context, quantization.Rows, 1)
{
    protected override void ProcessChunk(long chunk, WorkerBuffers buffers)
    {
        int columns = (int)quantization.Columns;
        float[] row = new float[columns];
        Widen.ToSingle(quantization.ElementType, Context.Source.ReadValues(Plan, chunk * columns, columns, buffers, Preloaded), row);
        float step = row.Max(Math.Abs) / 127;
        sbyte[] codes = [.. row.Select(value => step == 0 ? (sbyte)0 : (sbyte)MathF.Round(value / step))];
        Write(OutputRole.Codes, chunk * columns, MemoryMarshal.AsBytes(codes.AsSpan()));
        Write(OutputRole.Scale, chunk * sizeof(float), BitConverter.GetBytes(step));
    }
}

internal sealed class Steps8Decoder(Steps8Weight weight, TensorSource source) : WeightDecoder
{
    public override void Load(long first, int count, WorkerBuffers buffers)
    {
        if (count == 0) return;
        source.ReadBytes(weight.Codes, first, buffers.Codes.AsSpan(0, count));
        long row = first / weight.Columns;
        int rows = (int)(((first + count - 1) / weight.Columns) - row + 1);
        source.ReadBytes(weight.Step, row * sizeof(float), MemoryMarshal.AsBytes(buffers.Scales.AsSpan(0, rows)));
    }

    public override void Decode(long first, int count, ElementType type, Span<byte> destination, WorkerBuffers buffers)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = (sbyte)buffers.Codes[i] * buffers.Scales[(int)(((first + i) / weight.Columns) - (first / weight.Columns))];
        Narrow.FromSingle(type, values, destination);
    }
}
