namespace Bnb.Quant;

public static partial class Quantize4
{
    private static bool V256<TCode>(
        ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
        where TCode : struct, ICode4 => Reference<TCode>(type, blocksize, source, absmax, packed);
}
