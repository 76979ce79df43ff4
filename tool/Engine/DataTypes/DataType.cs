using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// One family of data types: all that the rest of the engine asks about it. A row of <see cref="DataTypeCatalog"/> is what makes a
/// type known to every command.
/// </summary>
internal abstract class DataType
{
    /// <summary>As <c>--type</c> and reports spell the family's types: nf4 and fp4, or int8.</summary>
    public abstract IReadOnlyList<string> Names { get; }

    /// <summary>Whether the weight's form is written, too, so that it can be made again from its source.</summary>
    public virtual bool IsWritten(QuantizedWeight weight) => true;

    /// <summary>Finds the family's weights in a checkpoint; for layouts that formats does not read by itself.</summary>
    public virtual void Recognize(WeightSearch search)
    {
    }

    /// <summary>Whether the plan is one of the family's.</summary>
    public abstract bool Owns(Quantization quantization);

    /// <summary>Whether the stored weight is one of the family's.</summary>
    public abstract bool Owns(QuantizedWeight weight);

    /// <summary>The work of quantizing one tensor.</summary>
    public abstract TensorRun Run(Quantization quantization, TensorPlan plan, ShardRun shard, PipelineContext context);

    /// <summary>The way back.</summary>
    public abstract WeightDecoder Decoder(QuantizedWeight weight, TensorSource source, ComputeEngine engine);

    /// <summary>What a worker's buffers must hold to decode it.</summary>
    public abstract BufferShape Buffers(QuantizedWeight weight);

    /// <summary>The dtype that the weight was quantized from, null where the file does not say.</summary>
    public abstract ElementType? DenseType(QuantizedWeight weight);

    /// <summary>The dtype of a dense weight where neither file nor model say it; float16, which LLM.int8() rounds to first.</summary>
    public virtual ElementType UsualType => ElementType.F16;

    /// <summary>The recipe that would give this form.</summary>
    public abstract QuantizeRecipe Recipe(QuantizedWeight weight);
}

/// <summary>A family whose plans and weights are of one class each.</summary>
internal abstract class DataType<TQuantization, TWeight> : DataType
    where TQuantization : Quantization
    where TWeight : QuantizedWeight
{
    public sealed override bool Owns(Quantization quantization) => quantization is TQuantization;

    public sealed override bool Owns(QuantizedWeight weight) => weight is TWeight;

    public sealed override TensorRun Run(Quantization quantization, TensorPlan plan, ShardRun shard, PipelineContext context) =>
        Run((TQuantization)quantization, plan, shard, context);

    public sealed override WeightDecoder Decoder(QuantizedWeight weight, TensorSource source, ComputeEngine engine) =>
        Decoder((TWeight)weight, source, engine);

    public sealed override BufferShape Buffers(QuantizedWeight weight) => Buffers((TWeight)weight);

    public sealed override ElementType? DenseType(QuantizedWeight weight) => DenseType((TWeight)weight);

    public sealed override QuantizeRecipe Recipe(QuantizedWeight weight) => Recipe((TWeight)weight);

    protected abstract TensorRun Run(TQuantization quantization, TensorPlan plan, ShardRun shard, PipelineContext context);

    protected abstract WeightDecoder Decoder(TWeight weight, TensorSource source, ComputeEngine engine);

    protected abstract BufferShape Buffers(TWeight weight);

    protected abstract ElementType? DenseType(TWeight weight);

    protected abstract QuantizeRecipe Recipe(TWeight weight);
}
