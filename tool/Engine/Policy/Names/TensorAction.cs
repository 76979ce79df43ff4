namespace Bnb.Engine.Policy.Names;

/// <summary>What happens to a tensor.</summary>
internal enum TensorAction
{
    /// <summary>Written as codes with their quantization state.</summary>
    Quantize,

    /// <summary>Written as numbers.</summary>
    Copy,
}
