namespace Bnb.Quant.Numerics;

// What group-wise INT4 needs to know about the type its arithmetic is done in.
internal partial interface IElement
{
    /// <summary>The name of this type.</summary>
    static abstract ElementType Type { get; }

    /// <summary>How many fraction bits binary32 has beyond this type's: 0, 13, 16 for F32, F16, BF16.</summary>
    static abstract int ExtraBits { get; }

    /// <summary>The distance from 1 to the next value: 2^-23, 2^-10, 2^-7 for F32, F16, BF16.</summary>
    static abstract float Epsilon { get; }
}

internal readonly partial struct F32Element
{
    public static ElementType Type => ElementType.F32;

    public static int ExtraBits => 0;

    public static float Epsilon => 1.1920928955078125e-7f;
}

internal readonly partial struct F16Element
{
    public static ElementType Type => ElementType.F16;

    public static int ExtraBits => 13;

    public static float Epsilon => 0.0009765625f;
}

internal readonly partial struct BF16Element
{
    public static ElementType Type => ElementType.BF16;

    public static int ExtraBits => 16;

    public static float Epsilon => 0.0078125f;
}
