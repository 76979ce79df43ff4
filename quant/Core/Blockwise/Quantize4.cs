using Bnb.Quant.Backends;
using Bnb.Quant.Codes;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Blockwise;

/// <summary>
/// Blockwise 4-bit quantization: absmax per block, the nearest code per value, two codes per byte. Source: bitsandbytes
/// 0.50, <c>csrc/kernels.cu kQuantizeBlockwise</c>.
/// </summary>
public static partial class Quantize4
{
    /// <summary>A bound kernel; arguments are checked before it runs.</summary>
    internal delegate bool Kernel(
        ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed);

    /// <summary>
    /// Quantizes a flat run of values. Per block: absmax = max |value| as float32, x = value * (1/absmax) in float32, code =
    /// the type's decision on x. Exact: the same bytes on every path.
    /// </summary>
    /// <param name="code">The 4-bit data type.</param>
    /// <param name="type">What <paramref name="source"/> holds.</param>
    /// <param name="blocksize">Values per block, a power of two from 32 to 4096. The last block may be short.</param>
    /// <param name="source">The values as stored: little-endian, any alignment. Empty is allowed.</param>
    /// <param name="absmax">One float32 per block, ceil(count / blocksize).</param>
    /// <param name="packed">(count + 1) / 2 bytes, the first value of a pair in the high nibble.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <returns>
    /// Whether every value is finite. When not, the output is still defined: NaN does not count for absmax and has code 0;
    /// an infinity makes absmax infinite, itself code 0 and the finite values of its block the code of zero.
    /// </returns>
    /// <remarks>
    /// An all-zero block has absmax 0 and code 0 everywhere, the padding nibble included. A block of nothing but NaN has
    /// absmax 0. In other blocks the padding nibble of an odd count is <see cref="Code4.ZeroCode"/>. See docs/numerics.md.
    /// </remarks>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Block size or element type is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static bool Run(
        Code4 code,
        ElementType type,
        int blocksize,
        ReadOnlySpan<byte> source,
        Span<float> absmax,
        Span<byte> packed,
        KernelPath path)
    {
        ArgumentNullException.ThrowIfNull(code);
        BlockGrid.CheckBlocksize(blocksize);
        int size = type.Size();
        if (source.Length % size != 0)
        {
            throw new ArgumentException($"{source.Length} bytes are not whole values of {type}", nameof(source));
        }

        int count = source.Length / size;
        BlockGrid.CheckLength(nameof(absmax), BlockGrid.BlockCount(count, blocksize), absmax.Length);
        BlockGrid.CheckLength(nameof(packed), (count + 1) / 2, packed.Length);
        KernelPaths.Require(path);
        return code.KernelOn(path)(type, blocksize, source, absmax, packed);
    }

    /// <summary>The kernel of a data type on a path.</summary>
    internal static Kernel KernelOf<TCode>(KernelPath path)
        where TCode : struct, ICode4 => path switch
        {
            KernelPath.V512 => V512<TCode>,
            KernelPath.V256 => V256<TCode>,
            KernelPath.V128 => V128<TCode>,
            _ => Reference<TCode>,
        };

    // The element types become type arguments here, outside every loop.
    private static bool Reference<TCode>(
        ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
        where TCode : struct, ICode4 => type switch
        {
            ElementType.F32 => Reference<TCode, F32Element>(blocksize, source, absmax, packed),
            ElementType.F16 => Reference<TCode, F16Element>(blocksize, source, absmax, packed),
            _ => Reference<TCode, BF16Element>(blocksize, source, absmax, packed),
        };
}
