using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>A family that is read and not written: sources are quantized from it, and dequantized.</summary>
internal abstract class SourceOnlyType<TWeight> : DataType
    where TWeight : QuantizedWeight
{
    public sealed override bool IsWritten(QuantizedWeight weight) => false;

    public sealed override bool Owns(Quantization quantization) => false;

    public sealed override bool Owns(QuantizedWeight weight) => weight is TWeight;

    public sealed override TensorRun Run(Quantization quantization, TensorPlan plan, ShardRun shard, PipelineContext context) =>
        throw new ArgumentException($"{Names[0]} is not written", nameof(quantization));

    public sealed override WeightDecoder Decoder(QuantizedWeight weight, TensorSource source, ComputeEngine engine) =>
        Decoder((TWeight)weight, source, engine);

    public sealed override BufferShape Buffers(QuantizedWeight weight) => Buffers((TWeight)weight);

    public sealed override ElementType? DenseType(QuantizedWeight weight) => DenseType((TWeight)weight);

    public sealed override QuantizeRecipe Recipe(QuantizedWeight weight) =>
        throw new ArgumentException($"{Names[0]} is not written", nameof(weight));

    protected abstract WeightDecoder Decoder(TWeight weight, TensorSource source, ComputeEngine engine);

    protected abstract BufferShape Buffers(TWeight weight);

    protected abstract ElementType? DenseType(TWeight weight);
}
