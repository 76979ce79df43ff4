
namespace Bnb.Engine.Architectures;

/// <summary>What one version of a library makes of a saved tensor, unless told otherwise.</summary>
internal enum LayerKind
{
    /// <summary>The version has no tensor of that name: renamed, or another structure.</summary>
    Absent,

    /// <summary>Weight of a linear layer (or Conv1D) that bitsandbytes converts.</summary>
    Linear,

    /// <summary>The same kind of layer, left alone by the default list: output head, tied, last, or kept in float32.</summary>
    Kept,

    /// <summary>
    /// A subclass of the linear layer: transformers 4 and compressed-tensors convert it, bitsandbytes in transformers 5 does not.
    /// </summary>
    Subclass,

    /// <summary>An expert's weight that transformers 5 fuses with the others into one parameter.</summary>
    Expert,

    /// <summary>Split or merged while loading: packed it would be lost.</summary>
    Rebuilt,

    /// <summary>No linear layer: embedding, convolution, a parameter of its own.</summary>
    NotLinear,
}
