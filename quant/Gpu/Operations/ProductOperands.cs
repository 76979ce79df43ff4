using ILGPU;

namespace Bnb.Quant.Gpu.Operations;

/// <summary>The operands of a product on the device.</summary>
/// <param name="X">[m, k] values of the compute type.</param>
/// <param name="Codes">[n, k] codes, after as many as the phase says.</param>
/// <param name="Absmax">One per block or row.</param>
/// <param name="Y">[m, n] sums.</param>
internal readonly record struct ProductOperands(ArrayView<byte> X, ArrayView<byte> Codes, ArrayView<float> Absmax, ArrayView<float> Y);
