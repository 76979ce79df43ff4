using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>The decision about one tensor and why it was taken.</summary>
/// <param name="Tensor">The tensor.</param>
/// <param name="Action">Quantize or copy.</param>
/// <param name="Rule">Short id of the deciding rule, see <see cref="RuleIds"/>.</param>
/// <param name="Reason">One line for a human.</param>
/// <param name="Unaligned">Quantized although the input width is no multiple of the block size (or copied for it).</param>
/// <param name="Transpose">Stored as [in, out] (Conv1D): transpose before quantizing, the written shape is [out, in].</param>
internal sealed record TensorDecision(
    PolicyTensor Tensor, TensorAction Action, string Rule, string Reason, bool Unaligned, bool Transpose)
{
    /// <summary>What the atlas says about the tensor; null when it was judged by its name.</summary>
    public KnownTensor? Known { get; init; }
}
