using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.ScaledCodes;

// A small float whose exponent and fraction are put where a binary32 has them is that float, but for the bias: one
// multiplication by a power of two mends it. A subnormal code becomes a subnormal binary32 on the way and is exact after it.

/// <summary>Layout of a small float.</summary>
internal interface IFloatLayout
{
    /// <summary>Exponent and fraction.</summary>
    static abstract uint Magnitude { get; }

    /// <summary>How far <see cref="Magnitude"/> is from its place in a binary32.</summary>
    static abstract int Shift { get; }

    /// <summary>How far the sign bit is from bit 31.</summary>
    static abstract int SignShift { get; }

    /// <summary>2 to the difference of the biases.</summary>
    static abstract float Rebias { get; }

    /// <summary>The magnitude that is NaN; above <see cref="Magnitude"/> when there is none.</summary>
    static abstract uint NaN { get; }
}

/// <summary>See <see cref="ScaledCode.E4M3"/>.</summary>
internal readonly struct E4M3Layout : IFloatLayout
{
    public static uint Magnitude => 0x7F;

    public static int Shift => 20;

    public static int SignShift => 24;

    // 127 - 7.
    public static float Rebias => 1.329227995784916e36f;

    public static uint NaN => 0x7F;
}

/// <summary>See <see cref="ScaledCode.E2M1"/>.</summary>
internal readonly struct E2M1Layout : IFloatLayout
{
    public static uint Magnitude => 0x7;

    public static int Shift => 22;

    public static int SignShift => 28;

    // 127 - 1.
    public static float Rebias => 8.507059173023462e37f;

    public static uint NaN => 0x8;
}

/// <summary>See <see cref="ScaledCode.TwiceE2M1"/>.</summary>
internal readonly struct TwiceE2M1Layout : IFloatLayout
{
    public static uint Magnitude => 0x7;

    public static int Shift => 22;

    public static int SignShift => 28;

    public static float Rebias => 1.7014118346046923e38f;

    public static uint NaN => 0x8;
}

/// <summary>A small float.</summary>
internal readonly struct FloatCode<TLayout> : IScaledCode
    where TLayout : struct, IFloatLayout
{
    public static float Of(uint code, float zero)
    {
        uint magnitude = code & TLayout.Magnitude;
        if (magnitude == TLayout.NaN) return float.NaN;
        uint sign = (code & (TLayout.Magnitude + 1)) << TLayout.SignShift;
        float value = BitConverter.UInt32BitsToSingle(magnitude << TLayout.Shift) * TLayout.Rebias;
        return BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) | sign);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Of(Vector128<uint> code, Vector128<float> zero)
    {
        Vector128<uint> magnitude = code & Vector128.Create(TLayout.Magnitude);
        Vector128<uint> sign = (code & Vector128.Create(TLayout.Magnitude + 1)) << TLayout.SignShift;
        Vector128<uint> bits = ((magnitude << TLayout.Shift).AsSingle() * Vector128.Create(TLayout.Rebias)).AsUInt32() | sign;
        if (TLayout.NaN > TLayout.Magnitude) return bits.AsSingle();
        Vector128<uint> isNaN = Vector128.Equals(magnitude, Vector128.Create(TLayout.NaN));
        return Vector128.ConditionalSelect(isNaN, Vector128.Create(CodeKernelReference.QuietNaN), bits).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Of(Vector256<uint> code, Vector256<float> zero)
    {
        Vector256<uint> magnitude = code & Vector256.Create(TLayout.Magnitude);
        Vector256<uint> sign = (code & Vector256.Create(TLayout.Magnitude + 1)) << TLayout.SignShift;
        Vector256<uint> bits = ((magnitude << TLayout.Shift).AsSingle() * Vector256.Create(TLayout.Rebias)).AsUInt32() | sign;
        if (TLayout.NaN > TLayout.Magnitude) return bits.AsSingle();
        Vector256<uint> isNaN = Vector256.Equals(magnitude, Vector256.Create(TLayout.NaN));
        return Vector256.ConditionalSelect(isNaN, Vector256.Create(CodeKernelReference.QuietNaN), bits).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Of(Vector512<uint> code, Vector512<float> zero)
    {
        Vector512<uint> magnitude = code & Vector512.Create(TLayout.Magnitude);
        Vector512<uint> sign = (code & Vector512.Create(TLayout.Magnitude + 1)) << TLayout.SignShift;
        Vector512<uint> bits = ((magnitude << TLayout.Shift).AsSingle() * Vector512.Create(TLayout.Rebias)).AsUInt32() | sign;
        if (TLayout.NaN > TLayout.Magnitude) return bits.AsSingle();
        Vector512<uint> isNaN = Vector512.Equals(magnitude, Vector512.Create(TLayout.NaN));
        return Vector512.ConditionalSelect(isNaN, Vector512.Create(CodeKernelReference.QuietNaN), bits).AsSingle();
    }
}
