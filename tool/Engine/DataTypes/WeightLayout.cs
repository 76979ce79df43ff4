using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.ScaledFloats;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.DataTypes;

/// <summary>How the dense form of a quantized weight was stored.</summary>
internal static class WeightLayout
{
    /// <summary>Whether it was a Conv1D, [in, out]. compressed-tensors packs modules of class Linear only, whatever their names, and
    /// small floats lie as the dense weight did.</summary>
    public static bool WasConv1D(QuantizedWeight weight, ModelFacts facts) =>
        weight is not (Int4Weight or ScaledFloatWeight) && Conv1DLayout.WasUsed(weight.Name, facts);
}
