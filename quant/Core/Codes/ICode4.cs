using System.Runtime.Intrinsics;

namespace Bnb.Quant.Codes;

/// <summary>
/// A 4-bit data type: its 16 values and the rule that picks one. Besides the rule itself (<see cref="Encode"/>, the
/// definition) a type states the same rule in the shape the vector kernels use: the <em>rank</em> of x is the number of
/// <see cref="Thresholds"/> below it, and the code is a fixed rearrangement of the rank's bits.
/// </summary>
internal interface ICode4
{
    /// <summary>The name bitsandbytes gives it in <c>quant_type</c>.</summary>
    static abstract string Name { get; }

    /// <summary>The value of each code for absmax 1, which is the stored <c>quant_map</c>.</summary>
    static abstract float[] CreateValues();

    /// <summary>The code of a value already divided by its block's absmax. NaN gives 0. Exact: comparisons only.</summary>
    static abstract byte Encode(float x);

    /// <summary>Ascending bounds: 15 over x, or 7 over |x| when <see cref="SignMagnitude"/>.</summary>
    static abstract ReadOnlySpan<float> Thresholds { get; }

    /// <summary>Whether the rank is taken of |x| and bit 3 of the code says x &lt; 0 (so that -0.0 has no sign).</summary>
    static abstract bool SignMagnitude { get; }

    /// <summary>Turns ranks into codes in every nibble of every lane.</summary>
    static abstract Vector128<uint> FromRanks(Vector128<uint> ranks);

    /// <inheritdoc cref="FromRanks(Vector128{uint})"/>
    static abstract Vector256<uint> FromRanks(Vector256<uint> ranks);

    /// <inheritdoc cref="FromRanks(Vector128{uint})"/>
    static abstract Vector512<uint> FromRanks(Vector512<uint> ranks);
}
