using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Blockwise;

/// <summary>The inverse of <see cref="Quantize4"/>.</summary>
/// <remarks>Source: bitsandbytes 0.50, <c>csrc/kernels.cu kDequantizeBlockwise</c>.</remarks>
public static partial class Dequantize4
{
    /// <summary>As the overload with a path, on <see cref="KernelPaths.Selected"/>.</summary>
    /// <inheritdoc cref="Run(Code4, int, ReadOnlySpan{byte}, ReadOnlySpan{float}, Span{float}, KernelPath)"/>
    public static void Run(
        Code4 code, int blocksize, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<float> destination) =>
        Run(code, blocksize, packed, absmax, destination, KernelPaths.Selected);

    /// <summary>
    /// value = quant_map[code] * absmax of its block, one float32 multiplication. Exact in the IEEE sense: the same bytes on
    /// every path. A block with absmax 0 gives zeros (negative ones for nf4 code 0); an infinite absmax gives infinities, and
    /// NaN for the code of zero; a NaN absmax gives NaN.
    /// </summary>
    /// <param name="code">The 4-bit data type.</param>
    /// <param name="blocksize">Values per block, a power of two from 32 to 4096. The last block may be short.</param>
    /// <param name="packed">(count + 1) / 2 bytes, first value in the high nibble; a padding nibble is ignored.</param>
    /// <param name="absmax">One float32 per block.</param>
    /// <param name="destination">The count values to fill; empty is allowed.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The block size is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Run(
        Code4 code,
        int blocksize,
        ReadOnlySpan<byte> packed,
        ReadOnlySpan<float> absmax,
        Span<float> destination,
        KernelPath path)
    {
        Check(code, blocksize, packed.Length, absmax.Length, destination.Length);
        KernelPaths.Require(path);
        // A float's bytes are 4 times its count, which a span cannot hold from 2^29 on, so the work is cut at blocks.
        int most = (1 << 28) / blocksize;
        for (int block = 0; block < absmax.Length; block += most)
        {
            int start = block * blocksize, blocks = Math.Min(most, absmax.Length - block);
            Span<float> part = destination.Slice(start, Math.Min(blocks * blocksize, destination.Length - start));
            Run<F32Element>(
                code.Values.Span,
                blocksize,
                packed.Slice(start / 2, (part.Length + 1) / 2),
                absmax.Slice(block, blocks),
                MemoryMarshal.AsBytes(part),
                path);
        }
    }

    /// <summary>
    /// The same value, rounded once more to a stored format by the rule of <see cref="Narrow.FromSingle"/>: what
    /// bitsandbytes gives for weights that were 16-bit. Exact: the same bytes on every path.
    /// </summary>
    /// <param name="code">The 4-bit data type.</param>
    /// <param name="blocksize">Values per block, a power of two from 32 to 4096. The last block may be short.</param>
    /// <param name="type">The format to write.</param>
    /// <param name="packed">(count + 1) / 2 bytes, first value in the high nibble; a padding nibble is ignored.</param>
    /// <param name="absmax">One float32 per block.</param>
    /// <param name="destination">type.Size() bytes for each of the count values, little-endian, any alignment.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Block size or element type is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Run(
        Code4 code,
        int blocksize,
        ElementType type,
        ReadOnlySpan<byte> packed,
        ReadOnlySpan<float> absmax,
        Span<byte> destination,
        KernelPath path)
    {
        int size = type.Size();
        if (destination.Length % size != 0)
        {
            throw new ArgumentException($"{destination.Length} bytes are not whole values of {type}", nameof(destination));
        }

        Check(code, blocksize, packed.Length, absmax.Length, destination.Length / size);
        KernelPaths.Require(path);
        ReadOnlySpan<float> values = code.Values.Span;
        if (type == ElementType.F32) Run<F32Element>(values, blocksize, packed, absmax, destination, path);
        else if (type == ElementType.F16) Run<F16Element>(values, blocksize, packed, absmax, destination, path);
        else Run<BF16Element>(values, blocksize, packed, absmax, destination, path);
    }

    private static void Run<TElement>(
        ReadOnlySpan<float> values,
        int blocksize,
        ReadOnlySpan<byte> packed,
        ReadOnlySpan<float> absmax,
        Span<byte> destination,
        KernelPath path)
        where TElement : struct, IElement
    {
        if (path == KernelPath.V512) Blocks<CodeLookup512, TElement>(values, blocksize, packed, absmax, destination);
        else if (path == KernelPath.V256) Blocks<CodeLookup256, TElement>(values, blocksize, packed, absmax, destination);
        else if (path == KernelPath.V128) Blocks<CodeLookup128, TElement>(values, blocksize, packed, absmax, destination);
        else Reference<TElement>(values, blocksize, packed, absmax, destination);
    }

    private static void Check(Code4 code, int blocksize, int packed, int absmax, int count)
    {
        ArgumentNullException.ThrowIfNull(code);
        BlockGrid.CheckBlocksize(blocksize);
        BlockGrid.CheckLength(nameof(packed), ((long)count + 1) / 2, packed);
        BlockGrid.CheckLength(nameof(absmax), BlockGrid.BlockCount(count, blocksize), absmax);
    }
}
