namespace Bnb.Quant.Numerics;

/// <summary>How many values of a run are not finite, and where the first one is.</summary>
/// <param name="NaN">Number of NaN.</param>
/// <param name="PositiveInfinity">Number of +infinity.</param>
/// <param name="NegativeInfinity">Number of -infinity.</param>
/// <param name="FirstIndex">Index, in values, of the first of them; -1 when there is none.</param>
public readonly record struct NonFiniteCount(long NaN, long PositiveInfinity, long NegativeInfinity, long FirstIndex)
{
    /// <summary>All of them together.</summary>
    public long Total => NaN + PositiveInfinity + NegativeInfinity;
}
