using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.ScaledFloats;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>FP8, MXFP8, MXFP4 and NVFP4. One form of them is written: FP8 with a scale per output channel.</summary>
internal sealed class ScaledFloatType : DataType<Fp8Quantization, ScaledFloatWeight>
{
    public override IReadOnlyList<string> Names { get; } = ["fp8", "mxfp8", "mxfp4", "nvfp4"];

    public override ElementType UsualType => ElementType.BF16;

    public override bool IsWritten(QuantizedWeight weight) =>
        weight is ScaledFloatWeight { IsFourBit: false, BlockRows: 1, OwnDType: not null } one && one.BlockColumns >= one.Columns
        && one.Scale.Shape.Rank == 2 && one.MatrixCount == 1;

    protected override TensorRun Run(Fp8Quantization quantization, TensorPlan plan, ShardRun shard, PipelineContext context) =>
        new Fp8Run(plan, quantization, shard, context);

    protected override WeightDecoder Decoder(ScaledFloatWeight weight, TensorSource source, ComputeEngine engine) =>
        new ScaledFloatDecoder(weight, source, engine.Path);

    protected override BufferShape Buffers(ScaledFloatWeight weight) => new(8, ScaledFloatDecoder.ValuesPerScale(weight), 2);

    protected override ElementType? DenseType(ScaledFloatWeight weight) =>
        weight.OwnDType is { } own ? FloatTypes.Of(own) : null;

    protected override QuantizeRecipe Recipe(ScaledFloatWeight weight) => new Fp8Recipe();
}
