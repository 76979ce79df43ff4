using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.PackedWords;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>GPTQ and AWQ.</summary>
internal sealed class PackedWordType : SourceOnlyType<PackedWordWeight>
{
    public override IReadOnlyList<string> Names { get; } = ["gptq", "awq"];

    protected override WeightDecoder Decoder(PackedWordWeight weight, TensorSource source, ComputeEngine engine) =>
        new PackedWordDecoder(weight, source, engine.Path);

    // Scales are no concern of the buffers: the decoder reads them by rows.
    protected override BufferShape Buffers(PackedWordWeight weight) => new(8, 64, 1);

    protected override ElementType? DenseType(PackedWordWeight weight) => FloatTypes.Of(weight.Scales.DType);
}
