namespace Bnb.Quant.Search;

/// <summary>
/// The scales that are compared: those of the weights' 16-bit type, the 256 values of nested codes, or short float32 numbers. Per
/// sign they are counted by magnitude from 0 up; all magnitudes are finite and above 0.
/// </summary>
internal interface IScaleSet
{
    /// <summary>Whether the place of a scale holds any float32, so that the best of the set can be refined.</summary>
    static abstract bool Refines { get; }

    /// <summary>How many there are of a sign; 0 is possible.</summary>
    int Count(bool negative);

    /// <summary>The magnitude at an index.</summary>
    float At(int index, bool negative);

    /// <summary>The last index whose magnitude is not above the given one; 0 when there is none.</summary>
    int Floor(double magnitude, bool negative);

    /// <summary>An index whose magnitude is about the given one, quickly. Never falls where the magnitude grows.</summary>
    int Near(float magnitude, bool negative);
}
