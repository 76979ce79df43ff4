using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Int8;

/// <summary>
/// Row-wise 8-bit quantization of LLM.int8(): absmax per row (stored as SCB), one signed code per value. Source: bitsandbytes
/// 0.50, <c>backends/default/ops.py int8_vectorwise_quant</c>, and <c>nn/modules.py Int8Params</c>, which casts to float16.
/// </summary>
/// <remarks>
/// Every value is first rounded to float16, to nearest and ties to even; call that h. absmax = max |h| of the row, kept as
/// float32. scale = (1 / absmax) * 127, a division and a multiplication, each rounded to float32: that is how torch computes
/// the 127 / absmax of the source. code = h * scale in float32, rounded to the nearest integer, ties to even; from -127 to 127.
/// A row with absmax 0 has codes 0. NaN does not count for absmax and has code 0. An infinity, also from a value that is too
/// large for float16 (65520 or more), makes absmax infinite and all codes of its row 0. See docs/numerics.md.
/// </remarks>
public static partial class QuantizeRows8
{
    /// <summary>Quantizes whole rows. Exact: the same bytes on every path.</summary>
    /// <param name="type">What <paramref name="source"/> holds.</param>
    /// <param name="columns">Values per row, at least 1.</param>
    /// <param name="source">absmax.Length rows as stored: little-endian, any alignment. No rows are allowed.</param>
    /// <param name="absmax">One float32 per row.</param>
    /// <param name="codes">One code per value, in the order of the values.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <returns>Whether every value is finite as float16. When not, the output is defined as said above.</returns>
    /// <exception cref="ArgumentException">A span's length is not what rows and columns need.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The element type is not supported, or there are no columns.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static bool Run(
        ElementType type, int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes, KernelPath path)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        // The number of values is compared first: it fits into a long, its bytes only if it is the number of codes.
        long count = (long)columns * absmax.Length;
        BlockGrid.CheckLength(nameof(codes), count, codes.Length);
        BlockGrid.CheckLength(nameof(source), count * type.Size(), source.Length);
        KernelPaths.Require(path);
        return type switch
        {
            ElementType.F32 => Run<F32Element>(columns, source, absmax, codes, path),
            ElementType.F16 => Run<F16Element>(columns, source, absmax, codes, path),
            _ => Run<BF16Element>(columns, source, absmax, codes, path),
        };
    }

    /// <summary>
    /// The absmax of a row that comes in pieces: absmax = max(absmax, max |h| of the piece), skipping NaN. Exact, whatever the
    /// pieces and their order.
    /// </summary>
    /// <param name="type">What <paramref name="piece"/> holds.</param>
    /// <param name="piece">The values as stored: little-endian, any alignment. Empty is allowed.</param>
    /// <param name="absmax">That of the pieces before; 0 before the first.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <returns>Whether every value of the piece is finite as float16.</returns>
    /// <exception cref="ArgumentException">The piece is not whole values.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The element type is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static bool RowAbsmax(ElementType type, ReadOnlySpan<byte> piece, ref float absmax, KernelPath path)
    {
        CountOf(type, piece);
        KernelPaths.Require(path);
        return type switch
        {
            ElementType.F32 => Absmax<F32Element>(piece, ref absmax, path),
            ElementType.F16 => Absmax<F16Element>(piece, ref absmax, path),
            _ => Absmax<BF16Element>(piece, ref absmax, path),
        };
    }

    /// <summary>The codes of a piece of a row. Exact: those that <see cref="Run"/> gives the whole row.</summary>
    /// <param name="type">What <paramref name="piece"/> holds.</param>
    /// <param name="piece">The values as stored: little-endian, any alignment. Empty is allowed.</param>
    /// <param name="absmax">Of the whole row, from <see cref="RowAbsmax"/>.</param>
    /// <param name="codes">One code per value.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">The piece is not whole values, or the codes are not as many.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The element type is not supported, or absmax is negative, NaN or less
    /// than the magnitude of a value of the piece; the codes are then partly written.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Encode(ElementType type, ReadOnlySpan<byte> piece, float absmax, Span<sbyte> codes, KernelPath path)
    {
        BlockGrid.CheckLength(nameof(codes), CountOf(type, piece), codes.Length);
        if (!(absmax >= 0)) ThrowNotAbsmax(absmax);
        KernelPaths.Require(path);
        if (type == ElementType.F32) Encode<F32Element>(piece, absmax, codes, path);
        else if (type == ElementType.F16) Encode<F16Element>(piece, absmax, codes, path);
        else Encode<BF16Element>(piece, absmax, codes, path);
    }

    // The path becomes a type argument here, outside every loop.
    private static bool Run<TElement>(
        int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes, KernelPath path)
        where TElement : struct, IElement => path switch
        {
            KernelPath.V512 => Rows<RowKernel512, TElement>(columns, source, absmax, codes),
            KernelPath.V256 => Rows<RowKernel256, TElement>(columns, source, absmax, codes),
            KernelPath.V128 => Rows<RowKernel128, TElement>(columns, source, absmax, codes),
            _ => Reference<TElement>(columns, source, absmax, codes),
        };

    private static bool Absmax<TElement>(ReadOnlySpan<byte> piece, ref float absmax, KernelPath path)
        where TElement : struct, IElement => path switch
        {
            KernelPath.V512 => Absmax<RowKernel512, TElement>(piece, ref absmax),
            KernelPath.V256 => Absmax<RowKernel256, TElement>(piece, ref absmax),
            KernelPath.V128 => Absmax<RowKernel128, TElement>(piece, ref absmax),
            _ => ReferenceAbsmax<TElement>(piece, ref absmax),
        };

    private static void Encode<TElement>(ReadOnlySpan<byte> piece, float absmax, Span<sbyte> codes, KernelPath path)
        where TElement : struct, IElement
    {
        if (path == KernelPath.V512) Strips<RowKernel512, TElement>(piece, absmax, codes);
        else if (path == KernelPath.V256) Strips<RowKernel256, TElement>(piece, absmax, codes);
        else if (path == KernelPath.V128) Strips<RowKernel128, TElement>(piece, absmax, codes);
        else ReferenceEncode<TElement>(piece, absmax, codes);
    }

    private static int CountOf(ElementType type, ReadOnlySpan<byte> piece)
    {
        int size = type.Size();
        if (piece.Length % size == 0) return piece.Length / size;
        throw new ArgumentException($"{piece.Length} bytes are not whole values of {type}", nameof(piece));
    }

    private static void ThrowNotAbsmax(float absmax) => throw new ArgumentOutOfRangeException(
        nameof(absmax), absmax, "must be the largest magnitude of the row that the values belong to");
}
