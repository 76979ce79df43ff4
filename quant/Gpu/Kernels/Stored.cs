using Bnb.Quant.Numerics;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>A number format as the kernels see it: words in, float32 out, and back. Bits only, no conversion instruction,
/// because those of the devices differ in NaN, and OpenCL devices may lack binary16.</summary>
internal interface IStored
{
    /// <summary>How many <see cref="Quad"/>s hold 16 values.</summary>
    static abstract int Quads { get; }

    /// <summary>The largest magnitude among the values, as float32 bits, which order like the values; NaN is above all.</summary>
    static abstract int Largest(Quad values);

    /// <summary>The codes of the values, first in the high nibble of the lowest byte: 32 bits for 16-bit values, 16 for
    /// float32.</summary>
    static abstract int Encode<TEncoder>(
        Quad values, float absmax, float reciprocal, ArrayView<long> table, ArrayView<float> thresholds)
        where TEncoder : struct, IEncoder;

    /// <summary>Rounds to the format as <see cref="IElement.ToBits(float)"/> does.</summary>
    static abstract int ToBits(float value);

    /// <summary>The value of stored bits, exact.</summary>
    static abstract float FromBits(int bits);

    /// <summary>FromBits of ToBits, in fewer instructions where that is possible.</summary>
    static abstract float Rounded(float value);

    /// <summary>One of 8 values in one quad, or in two for float32. The place is a constant at every call.</summary>
    static abstract float Of8(Quad first, Quad second, int place);

    /// <summary>The value at a place of stored values.</summary>
    static abstract float At(ArrayView<byte> values, long index);

    /// <summary>Writes bits to a place of stored values.</summary>
    static abstract void Put(ArrayView<byte> values, long index, int bits);

    /// <summary>The distance from 1 to the next value.</summary>
    static abstract float Epsilon { get; }
}

/// <summary>IEEE binary32.</summary>
internal readonly struct StoredF32 : IStored
{
    public static int Quads => 4;

    public static int Largest(Quad values) => Math.Max(
        Math.Max(values.A & Magnitudes.Mask, values.B & Magnitudes.Mask),
        Math.Max(values.C & Magnitudes.Mask, values.D & Magnitudes.Mask));

    public static int Encode<TEncoder>(
        Quad values, float absmax, float reciprocal, ArrayView<long> table, ArrayView<float> thresholds)
        where TEncoder : struct, IEncoder =>
        (TEncoder.Encode(Bits.ToSingle(values.A), absmax, reciprocal, table, thresholds) << 4)
        | TEncoder.Encode(Bits.ToSingle(values.B), absmax, reciprocal, table, thresholds)
        | (TEncoder.Encode(Bits.ToSingle(values.C), absmax, reciprocal, table, thresholds) << 12)
        | (TEncoder.Encode(Bits.ToSingle(values.D), absmax, reciprocal, table, thresholds) << 8);

    public static int ToBits(float value) => Bits.Of(value);

    public static float FromBits(int bits) => Bits.ToSingle(bits);

    public static float Rounded(float value) => value;

    public static float Of8(Quad first, Quad second, int place) =>
        Bits.ToSingle(place < 4 ? Words.Of(first, place) : Words.Of(second, place - 4));

    public static float Epsilon => 1.1920928955078125e-7f;

    public static void Put(ArrayView<byte> values, long index, int bits) => values.Cast<int>()[index] = bits;

    public static float At(ArrayView<byte> values, long index) => values.Cast<float>()[index];
}

/// <summary>IEEE binary16.</summary>
internal readonly struct StoredF16 : IStored
{
    public static int Quads => 2;

    // Magnitudes of binary16 order like integers, too, so only the largest is widened.
    public static int Largest(Quad values) => Magnitudes.Widen(Math.Max(
        Math.Max(Math.Max(Low(values.A), High(values.A)), Math.Max(Low(values.B), High(values.B))),
        Math.Max(Math.Max(Low(values.C), High(values.C)), Math.Max(Low(values.D), High(values.D)))));

    public static int Encode<TEncoder>(
        Quad values, float absmax, float reciprocal, ArrayView<long> table, ArrayView<float> thresholds)
        where TEncoder : struct, IEncoder =>
        Two<TEncoder>(values.A, absmax, reciprocal, table, thresholds)
        | (Two<TEncoder>(values.B, absmax, reciprocal, table, thresholds) << 8)
        | (Two<TEncoder>(values.C, absmax, reciprocal, table, thresholds) << 16)
        | (Two<TEncoder>(values.D, absmax, reciprocal, table, thresholds) << 24);

    public static int ToBits(float value) => Rounding.ToF16(value);

    public static float Rounded(float value) => FromBits(ToBits(value));

    public static float Of8(Quad first, Quad second, int place)
    {
        int word = Words.Of(first, place >> 1);
        return FromBits((place & 1) == 0 ? word & 0xFFFF : (word >> 16) & 0xFFFF);
    }

    public static float Epsilon => 0.0009765625f;

    public static void Put(ArrayView<byte> values, long index, int bits) => values.Cast<ushort>()[index] = (ushort)bits;

    public static float At(ArrayView<byte> values, long index) => FromBits(values.Cast<ushort>()[index]);

    public static float FromBits(int bits) =>
        Bits.ToSingle(Magnitudes.Widen(bits & 0x7FFF) | ((bits & 0x8000) << 16));

    private static int Two<TEncoder>(
        int word, float absmax, float reciprocal, ArrayView<long> table, ArrayView<float> thresholds)
        where TEncoder : struct, IEncoder =>
        (TEncoder.Encode(FromBits(word & 0xFFFF), absmax, reciprocal, table, thresholds) << 4)
        | TEncoder.Encode(FromBits((word >> 16) & 0xFFFF), absmax, reciprocal, table, thresholds);

    private static int Low(int word) => word & 0x7FFF;

    private static int High(int word) => (word >> 16) & 0x7FFF;
}

/// <summary>bfloat16, the upper half of a binary32.</summary>
internal readonly struct StoredBF16 : IStored
{
    public static int Quads => 2;

    public static int Largest(Quad values) => Math.Max(
        Math.Max(Of(values.A), Of(values.B)), Math.Max(Of(values.C), Of(values.D)));

    public static int Encode<TEncoder>(
        Quad values, float absmax, float reciprocal, ArrayView<long> table, ArrayView<float> thresholds)
        where TEncoder : struct, IEncoder =>
        Two<TEncoder>(values.A, absmax, reciprocal, table, thresholds)
        | (Two<TEncoder>(values.B, absmax, reciprocal, table, thresholds) << 8)
        | (Two<TEncoder>(values.C, absmax, reciprocal, table, thresholds) << 16)
        | (Two<TEncoder>(values.D, absmax, reciprocal, table, thresholds) << 24);

    public static int ToBits(float value) => Rounding.ToBF16(value);

    public static float Rounded(float value)
    {
        int bits = Bits.Of(value);
        float rounded = Bits.ToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & unchecked((int)0xFFFF_0000));
        return (bits & Magnitudes.Mask) > Magnitudes.Infinity ? value : rounded;
    }

    public static float Of8(Quad first, Quad second, int place)
    {
        int word = Words.Of(first, place >> 1);
        return FromBits((place & 1) == 0 ? word & 0xFFFF : (word >> 16) & 0xFFFF);
    }

    public static float FromBits(int bits) => Bits.ToSingle(bits << 16);

    public static float Epsilon => 0.0078125f;

    public static void Put(ArrayView<byte> values, long index, int bits) => values.Cast<ushort>()[index] = (ushort)bits;

    public static float At(ArrayView<byte> values, long index) => FromBits(values.Cast<ushort>()[index]);

    private static int Two<TEncoder>(
        int word, float absmax, float reciprocal, ArrayView<long> table, ArrayView<float> thresholds)
        where TEncoder : struct, IEncoder =>
        (TEncoder.Encode(Bits.ToSingle(word << 16), absmax, reciprocal, table, thresholds) << 4)
        | TEncoder.Encode(Bits.ToSingle(word & unchecked((int)0xFFFF_0000)), absmax, reciprocal, table, thresholds);

    private static int Of(int word) => Math.Max((word << 16) & Magnitudes.Mask, word & 0x7FFF_0000);
}
