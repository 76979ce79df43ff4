using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.BitsAndBytes;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>LLM.int8().</summary>
internal sealed class Int8Type : DataType<Int8Quantization, Int8Weight>
{
    public override IReadOnlyList<string> Names { get; } = ["int8"];

    protected override TensorRun Run(Int8Quantization quantization, TensorPlan plan, ShardRun shard, PipelineContext context) =>
        new Int8Run(plan, quantization, shard, context);

    protected override WeightDecoder Decoder(Int8Weight weight, TensorSource source, ComputeEngine engine) =>
        new Int8Decoder(weight, source, engine);

    protected override BufferShape Buffers(Int8Weight weight) => new(8, Math.Max(1, weight.Columns), 1);

    // Nothing in the file says it.
    protected override ElementType? DenseType(Int8Weight weight) => null;

    protected override QuantizeRecipe Recipe(Int8Weight weight) => new Int8Recipe(Int8Recipe.DefaultThreshold);
}
