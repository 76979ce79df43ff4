using System.Runtime.Intrinsics;

namespace Bnb.Quant.ScaledCodes;

/// <summary>What a code stands for, as float32. Exact for every code; the lanes of all widths compute the same.</summary>
internal interface IScaledCode
{
    /// <param name="code">The code, a byte.</param>
    /// <param name="zero">The zero point of its group; only integers have one.</param>
    static abstract float Of(uint code, float zero);

    /// <inheritdoc cref="Of(uint, float)"/>
    static abstract Vector128<float> Of(Vector128<uint> code, Vector128<float> zero);

    /// <inheritdoc cref="Of(uint, float)"/>
    static abstract Vector256<float> Of(Vector256<uint> code, Vector256<float> zero);

    /// <inheritdoc cref="Of(uint, float)"/>
    static abstract Vector512<float> Of(Vector512<uint> code, Vector512<float> zero);
}

/// <summary>An unsigned integer less its zero point.</summary>
internal readonly struct UnsignedCode : IScaledCode
{
    public static float Of(uint code, float zero) => code - zero;

    public static Vector128<float> Of(Vector128<uint> code, Vector128<float> zero) => Vector128.ConvertToSingle(code.AsInt32()) - zero;

    public static Vector256<float> Of(Vector256<uint> code, Vector256<float> zero) => Vector256.ConvertToSingle(code.AsInt32()) - zero;

    public static Vector512<float> Of(Vector512<uint> code, Vector512<float> zero) => Vector512.ConvertToSingle(code.AsInt32()) - zero;
}
