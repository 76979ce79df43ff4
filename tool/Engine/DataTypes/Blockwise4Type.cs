using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.BitsAndBytes;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>nf4 and fp4.</summary>
internal sealed class Blockwise4Type : DataType<Blockwise4Quantization, BnbWeight>
{
    public override IReadOnlyList<string> Names { get; } = [.. Code4Catalog.All.Select(code => code.Name)];

    protected override TensorRun Run(Blockwise4Quantization quantization, TensorPlan plan, ShardRun shard, PipelineContext context) =>
        new Blockwise4Run(plan, quantization, shard, context);

    protected override WeightDecoder Decoder(BnbWeight weight, TensorSource source, ComputeEngine engine) =>
        new Blockwise4Decoder(weight, source, engine);

    protected override BufferShape Buffers(BnbWeight weight) =>
        new(4, weight.State.Blocksize, weight.State.Blocksize * NestedAbsmax.Blocksize);

    protected override ElementType? DenseType(BnbWeight weight) => FloatTypes.Named(weight.State.DType) ?? ElementType.F32;

    protected override QuantizeRecipe Recipe(BnbWeight weight) => new Blockwise4Recipe(
        Code4Catalog.ByName(weight.State.QuantType), weight.State.Blocksize, weight.IsNested, weight.Packed.DType);
}
