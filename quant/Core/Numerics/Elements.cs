using System.Buffers.Binary;

namespace Bnb.Quant.Numerics;

/// <summary>
/// What a kernel needs to know about one stored number format. The vector members live beside their instruction set in
/// <c>Elements.V128.cs</c>, <c>.V256.cs</c> and <c>.V512.cs</c>.
/// </summary>
internal partial interface IElement
{
    /// <summary>Bytes of one stored value.</summary>
    static abstract int Size { get; }

    /// <summary>The value at <paramref name="index"/> (in values) of little-endian <paramref name="source"/>, widened to
    /// float32. Exact for every input; a NaN stays a NaN.</summary>
    static abstract float ToSingle(ReadOnlySpan<byte> source, int index);

    /// <summary>Whether stored bits with the sign cleared are finite, that is, the exponent field is not all ones.</summary>
    static abstract bool IsFiniteMagnitude(uint magnitude);

    /// <summary>Stored bits with the sign cleared as float32. Exact; only for finite magnitudes.</summary>
    static abstract float MagnitudeToSingle(uint magnitude);
}

/// <summary>IEEE binary32 as stored.</summary>
internal readonly partial struct F32Element : IElement
{
    public static int Size => 4;

    public static float ToSingle(ReadOnlySpan<byte> source, int index) =>
        BinaryPrimitives.ReadSingleLittleEndian(source[(index * 4)..]);

    public static bool IsFiniteMagnitude(uint magnitude) => magnitude < 0x7F80_0000;

    public static float MagnitudeToSingle(uint magnitude) => BitConverter.UInt32BitsToSingle(magnitude);
}

/// <summary>IEEE binary16 as stored.</summary>
internal readonly partial struct F16Element : IElement
{
    /// <summary>2^112, which moves a binary16 exponent that was read with the binary32 bias (127 - 15) to its place.</summary>
    private const float Rebias = 5.192296858534828e33f;

    public static int Size => 2;

    public static float ToSingle(ReadOnlySpan<byte> source, int index) =>
        (float)BinaryPrimitives.ReadHalfLittleEndian(source[(index * 2)..]);

    public static bool IsFiniteMagnitude(uint magnitude) => magnitude < 0x7C00;

    // A subnormal binary16 becomes a subnormal binary32 here and is exact after the multiplication, as is everything else.
    public static float MagnitudeToSingle(uint magnitude) => BitConverter.UInt32BitsToSingle(magnitude << 13) * Rebias;
}

/// <summary>bfloat16 as stored.</summary>
internal readonly partial struct BF16Element : IElement
{
    public static int Size => 2;

    public static float ToSingle(ReadOnlySpan<byte> source, int index) =>
        BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(source[(index * 2)..]) << 16);

    public static bool IsFiniteMagnitude(uint magnitude) => magnitude < 0x7F80;

    public static float MagnitudeToSingle(uint magnitude) => BitConverter.UInt32BitsToSingle(magnitude << 16);
}
