using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.ScaledFloats;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>FP8, MXFP8, MXFP4 and NVFP4.</summary>
internal sealed class ScaledFloatType : SourceOnlyType<ScaledFloatWeight>
{
    public override IReadOnlyList<string> Names { get; } = ["mxfp8", "mxfp4", "nvfp4"];

    public override ElementType UsualType => ElementType.BF16;

    protected override WeightDecoder Decoder(ScaledFloatWeight weight, TensorSource source, ComputeEngine engine) =>
        new ScaledFloatDecoder(weight, source, engine.Path);

    protected override BufferShape Buffers(ScaledFloatWeight weight) => new(8, ScaledFloatDecoder.ValuesPerScale(weight), 2);

    protected override ElementType? DenseType(ScaledFloatWeight weight) =>
        weight.OwnDType is { } own ? FloatTypes.Of(own) : null;
}
