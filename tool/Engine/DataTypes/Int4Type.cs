using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.CompressedTensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>Group-wise INT4.</summary>
internal sealed class Int4Type : DataType<Int4Quantization, Int4Weight>
{
    public override IReadOnlyList<string> Names { get; } = ["int4"];

    protected override TensorRun Run(Int4Quantization quantization, TensorPlan plan, ShardRun shard, PipelineContext context) =>
        new Int4Run(plan, quantization, shard, context);

    protected override WeightDecoder Decoder(Int4Weight weight, TensorSource source, ComputeEngine engine) =>
        new Int4Decoder(weight, source, engine);

    protected override BufferShape Buffers(Int4Weight weight) => new(4, weight.GroupSize, Int4Quantization.PerWord);

    protected override ElementType? DenseType(Int4Weight weight) => FloatTypes.Of(weight.Scale.DType) ?? ElementType.F32;

    protected override QuantizeRecipe Recipe(Int4Weight weight) =>
        new Int4Recipe((int)Math.Min(weight.GroupSize, int.MaxValue), weight.IsSymmetric);
}
