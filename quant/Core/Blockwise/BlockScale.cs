namespace Bnb.Quant.Blockwise;

/// <summary>
/// The map of one block's values to [-1, 1]: x = value * (1/absmax), two float32 roundings, never a division per value and
/// never a fused operation, because the CUDA kernels do it so. Only where 1/absmax overflows is it value / absmax: upstream
/// gets infinities and NaN there. For absmax 0 that is 0/0 = NaN, which every code maps to 0, as upstream's 0 * inf does.
/// An infinite absmax gives 1/absmax = 0: finite values go to 0, the infinite ones to NaN.
/// </summary>
internal readonly struct BlockScale
{
    private readonly float _absmax;
    private readonly float _reciprocal;

    public BlockScale(float absmax)
    {
        _absmax = absmax;
        _reciprocal = 1f / absmax;
    }

    /// <summary>One value of the block, normalised.</summary>
    public float Apply(float value) => float.IsInfinity(_reciprocal) ? value / _absmax : value * _reciprocal;
}
