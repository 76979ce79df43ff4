namespace Bnb.Quant.Search;

/// <summary>A scale with the error of its block.</summary>
/// <param name="Error">Sum of weight * (x - scale * value)^2 in float64, as <see cref="BlockError"/> computes it; 0 where there was
/// nothing to compare with.</param>
/// <param name="Index">The place in the set of it, or of what it was refined from; -1 for none.</param>
/// <param name="Negative">Its sign.</param>
/// <param name="Scale">The scale.</param>
internal readonly record struct ScaleChoice(double Error, int Index, bool Negative, float Scale)
{
    /// <summary>No scale yet.</summary>
    public static ScaleChoice None => new(double.PositiveInfinity, -1, false, 0f);

    /// <summary>Of scales of a set: the smaller error; of equal ones the positive scale, then the smaller one.</summary>
    public bool IsBetterThan(ScaleChoice other)
    {
        if (Error != other.Error) return Error < other.Error;
        return Negative != other.Negative ? other.Negative : Index < other.Index;
    }
}
