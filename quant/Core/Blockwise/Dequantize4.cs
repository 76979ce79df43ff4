namespace Bnb.Quant;

/// <summary>The inverse of <see cref="Quantize4"/>.</summary>
public static class Dequantize4
{
    /// <summary>
    /// value = quant_map[code] * absmax of its block, one float32 multiplication. Exact in the IEEE sense. A block with
    /// absmax 0 gives zeros (negative ones for nf4 code 0); an infinite absmax gives infinities, and NaN for the code of zero.
    /// </summary>
    /// <param name="code">The 4-bit data type.</param>
    /// <param name="blocksize">Values per block, a power of two from 32 to 4096.</param>
    /// <param name="packed">(count + 1) / 2 bytes, first value in the high nibble; a padding nibble is ignored.</param>
    /// <param name="absmax">One float32 per block.</param>
    /// <param name="destination">The count values to fill.</param>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The block size is not supported.</exception>
    public static void Run(
        Code4 code, int blocksize, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<float> destination)
    {
        ArgumentNullException.ThrowIfNull(code);
        BlockGrid.CheckBlocksize(blocksize);
        BlockGrid.CheckLength(nameof(packed), ((long)destination.Length + 1) / 2, packed.Length);
        BlockGrid.CheckLength(nameof(absmax), BlockGrid.BlockCount(destination.Length, blocksize), absmax.Length);

        ReadOnlySpan<float> values = code.Values.Span;
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = values[Nibbles.CodeAt(packed, i)] * absmax[i / blocksize];
        }
    }
}
