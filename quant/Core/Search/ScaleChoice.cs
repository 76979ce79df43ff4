namespace Bnb.Quant.Search;

/// <summary>A scale of a set with the error of its block.</summary>
/// <param name="Error">Sum of weight * (x - scale * value)^2 in float64, as <see cref="BlockError"/> computes it.</param>
/// <param name="Index">Its place in the set; -1 for none.</param>
/// <param name="Negative">Its sign.</param>
internal readonly record struct ScaleChoice(double Error, int Index, bool Negative)
{
    /// <summary>No scale yet.</summary>
    public static ScaleChoice None => new(double.PositiveInfinity, -1, false);

    /// <summary>The smaller error; of equal ones the positive scale, then the smaller one.</summary>
    public bool IsBetterThan(ScaleChoice other)
    {
        if (Error != other.Error) return Error < other.Error;
        return Negative != other.Negative ? other.Negative : Index < other.Index;
    }
}
