using Bnb.Engine.Devices;
using Bnb.Quant.Backends;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>How a forward pass is computed; nothing of it but the compute dtype, the kernel path and the device shows in a bit.</summary>
/// <param name="Threads">At most.</param>
/// <param name="Path">Of matrix products on the CPU.</param>
/// <param name="ComputeType">What weights and activations are rounded to; float32 for none.</param>
internal sealed record ForwardOptions(int Threads, KernelPath Path, ElementType ComputeType)
{
    /// <summary>What multiplies with weights; null for the CPU. The products of attention, which are small, stay there.</summary>
    public ComputeEngine? Products { get; init; }

    /// <summary>y = x w^T with the rows of a weight.</summary>
    /// <param name="x">[m, k].</param>
    /// <param name="w">[n, k].</param>
    /// <param name="y">[m, n], overwritten.</param>
    public void Multiply(int m, int n, int k, ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> y)
    {
        if (Products is { } device) device.Multiply(m, n, k, x, w, y, Threads);
        else Sgemm.Run(m, n, k, x, w, y, Threads, Path);
    }

    /// <summary>Tokens that go through a layer together, in whole contexts; the wide states of no more are in memory.</summary>
    public int BatchTokens { get; init; } = 1024;
}
