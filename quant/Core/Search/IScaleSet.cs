namespace Bnb.Quant.Search;

/// <summary>
/// The scales that the place of a scale can hold: float32, the weights' 16-bit type, or the 256 values of nested codes. Per
/// sign they are counted by magnitude from 0 up; all magnitudes are finite and above 0.
/// </summary>
internal interface IScaleSet
{
    /// <summary>Whether neighbours are so close that a least-squares scale can be taken as one of them: then the search is
    /// over choices of codes and not over scales.</summary>
    static abstract bool Dense { get; }

    /// <summary>How many there are of a sign; 0 is possible.</summary>
    int Count(bool negative);

    /// <summary>The magnitude at an index.</summary>
    float At(int index, bool negative);

    /// <summary>The last index whose magnitude is not above the given one; 0 when there is none.</summary>
    int Floor(double magnitude, bool negative);
}
