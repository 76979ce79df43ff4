namespace Bnb.Quant.Gpu.Kernels;

/// <summary>What makes values of codes.</summary>
internal struct Scaling
{
    /// <summary>absmax, or the scale of a group.</summary>
    public float Factor;

    /// <summary>Subtracted from codes in groups; unused by other types.</summary>
    public float Offset;
}
