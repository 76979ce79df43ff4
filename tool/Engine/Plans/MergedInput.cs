using Bnb.Formats.Adapters;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Plans;

/// <summary>
/// A weight with what an adapter makes of it: the base's values in float32, plus the update, rounded once to the dtype of the
/// result (F64 is taken for F32). Without an update it is a tensor of the adapter that takes the base's place, or one whose dtype
/// changes.
/// </summary>
/// <param name="Base">The base's tensor, or the adapter's when that replaces it.</param>
/// <param name="BaseName">The base's name for it.</param>
/// <param name="To">The dtype of the result.</param>
/// <param name="Update">What is added, or null.</param>
/// <param name="IsFanInFanOut">True when the stored weight is [in, out].</param>
internal sealed record MergedInput(TensorPlan Base, string BaseName, DType To, LoraModule? Update, bool IsFanInFanOut)
    : WeightInput(BaseName, To, Base.Shape)
{
    /// <summary>True to read the weight the other way round than it is stored.</summary>
    public bool Transpose { get; init; }

    public override IEnumerable<CheckpointTensor> Parts => Update is null ? Base.Parts : Base.Parts.Concat(Update.Parts);

    public override BufferShape? Buffers => Base.Input?.Buffers;
}
