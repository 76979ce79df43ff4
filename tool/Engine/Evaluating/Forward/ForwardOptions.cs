using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>How a forward pass is computed; nothing of it but the compute dtype and the kernel path shows in a bit.</summary>
/// <param name="Threads">At most.</param>
/// <param name="Path">Of matrix products.</param>
/// <param name="ComputeType">What weights and activations are rounded to; float32 for none.</param>
internal sealed record ForwardOptions(int Threads, KernelPath Path, ElementType ComputeType)
{
    /// <summary>Tokens that go through a layer together, in whole contexts; the wide states of no more are in memory.</summary>
    public int BatchTokens { get; init; } = 1024;
}
