using System.Buffers.Binary;

namespace Bnb.Quant.Numerics;

/// <summary>Conversions to a narrower stored format.</summary>
public static partial class Narrow
{
    /// <summary>
    /// Rounds little-endian float64 values to little-endian float32, to nearest with ties to even. Overflow gives an infinity
    /// of the same sign, underflow a subnormal or a signed zero, NaN a quiet NaN. Exact in the IEEE sense: one rounding.
    /// </summary>
    /// <param name="source">8 bytes per value.</param>
    /// <param name="destinationF32">4 bytes per value, exactly half as long. May begin where the source begins (in place),
    /// because each value is read before its place is written; no other overlap.</param>
    /// <exception cref="ArgumentException">A length is no multiple of the value size or the lengths disagree.</exception>
    public static void F64ToF32(ReadOnlySpan<byte> source, Span<byte> destinationF32)
    {
        if (source.Length % 8 != 0)
        {
            throw new ArgumentException($"{source.Length} bytes are not whole float64 values", nameof(source));
        }

        BlockGrid.CheckLength(nameof(destinationF32), source.Length / 2, destinationF32.Length);

        while (!source.IsEmpty)
        {
            BinaryPrimitives.WriteSingleLittleEndian(destinationF32, (float)BinaryPrimitives.ReadDoubleLittleEndian(source));
            source = source[8..];
            destinationF32 = destinationF32[4..];
        }
    }
}
