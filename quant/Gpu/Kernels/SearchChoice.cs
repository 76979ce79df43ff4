using Bnb.Quant.Search;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary><see cref="ScaleChoice"/> in kernels.</summary>
internal struct SearchChoice
{
    public double Error;
    public int Index;
    public int Negative;
    public float Scale;

    /// <summary>No scale yet.</summary>
    public static SearchChoice None => new() { Index = -1 };

    /// <summary>This, or another scale if that is better: the smaller error, of equal ones the positive scale, then the smaller
    /// one.</summary>
    public readonly SearchChoice Or(double error, int index, int negative, float scale)
    {
        bool better = Index < 0 || error < Error
            || (error == Error && (negative != Negative ? negative == 0 : index < Index));
        SearchChoice result = this;
        if (!better) return result;
        result.Error = error;
        result.Index = index;
        result.Negative = negative;
        result.Scale = scale;
        return result;
    }
}
