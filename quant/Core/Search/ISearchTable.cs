using System.Runtime.Intrinsics;

namespace Bnb.Quant.Search;

/// <summary>
/// The values that a scale multiplies, and which of them stands for y = x / scale: what the search for a scale must know
/// about a data type. Values ascend with their decision bounds, 0 is one of them, and y between the bounds next to 0 gets it.
/// </summary>
internal interface ISearchTable
{
    /// <summary>The largest magnitude of a value.</summary>
    static abstract float Top { get; }

    /// <summary>The smallest magnitude of a decision bound, from below: every y within it has the value 0.</summary>
    static abstract float Zero { get; }

    /// <summary>The largest scale that is searched, in multiples of the block's largest magnitude. Where it is 1 over the
    /// smallest decision bound, all codes are that of 0 from there on.</summary>
    static abstract float Largest { get; }

    /// <summary>The scales that a search tries first, in multiples of the block's largest magnitude: 16, ascending, none above
    /// <see cref="Largest"/>. Close where the best one usually is; they only decide how long it takes.</summary>
    static abstract ReadOnlySpan<float> Start { get; }

    /// <summary>Whether the values of negative y are those of positive y, negated: then a negative scale gains nothing.</summary>
    static abstract bool Mirrored { get; }

    /// <summary>The code of any y but NaN, beyond the ends that of the end. Comparisons, or one rounding half to even.</summary>
    static abstract byte Encode(float y);

    /// <summary>The value of a code that <see cref="Encode(float)"/> gives.</summary>
    static abstract float ValueOf(byte code);

    /// <summary>The code of a value that <see cref="Nearest(Vector128{float})"/> gave; the sign of a zero is looked at.</summary>
    static abstract byte CodeOf(float value);

    /// <summary>ValueOf(Encode(y)) in each lane, where a zero may have the sign of y. Exact.</summary>
    static abstract Vector128<float> Nearest(Vector128<float> y);

    /// <inheritdoc cref="Nearest(Vector128{float})"/>
    static abstract Vector256<float> Nearest(Vector256<float> y);

    /// <inheritdoc cref="Nearest(Vector128{float})"/>
    static abstract Vector512<float> Nearest(Vector512<float> y);
}
