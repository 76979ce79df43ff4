using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Int8;

/// <summary>The inverse of <see cref="QuantizeRows8"/>. Source: bitsandbytes 0.50, <c>_ops.py int8_vectorwise_dequant</c>.</summary>
public static partial class DequantizeRows8
{
    /// <summary>1 / 127 rounded to float32, as upstream writes it.</summary>
    internal const float Reciprocal = 7.874015718698502e-3f;

    /// <summary>
    /// value = (code * absmax of its row) * <c>7.874015718698502e-3f</c>, two float32 multiplications in that order. Exact in
    /// the IEEE sense: the same bytes on every path. Code -128, which the quantizer never writes, is decoded like any other.
    /// Absmax 0 gives zeros with the code's sign; an infinite absmax gives infinities, and NaN for code 0; a NaN gives NaN.
    /// </summary>
    /// <param name="columns">Values per row, at least 1. A piece of one row is a row, too.</param>
    /// <param name="codes">absmax.Length rows of codes. No rows are allowed.</param>
    /// <param name="absmax">One float32 per row (SCB).</param>
    /// <param name="destination">One float32 per code.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">A span's length is not what rows and columns need.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There are no columns.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Run(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, Span<float> destination, KernelPath path)
    {
        Check(columns, codes.Length, absmax.Length, path);
        BlockGrid.CheckLength(nameof(destination), codes.Length, destination.Length);
        // A float's bytes are 4 times its count, which a span cannot hold from 2^29 on, so long rows are cut.
        int most = Math.Min(columns, 1 << 28);
        for (int row = 0; row < absmax.Length; row++)
        {
            for (int done = 0; done < columns; done += Math.Min(most, columns - done))
            {
                int start = row * columns + done, count = Math.Min(most, columns - done);
                Span<byte> part = MemoryMarshal.AsBytes(destination.Slice(start, count));
                Rows<F32Element>(count, codes.Slice(start, count), absmax.Slice(row, 1), part, path);
            }
        }
    }

    /// <summary>The same value, rounded once more to a stored format by the rule of <see cref="Narrow.FromSingle"/>: what
    /// torch's cast gives. Exact: the same bytes on every path.</summary>
    /// <param name="columns">Values per row, at least 1. A piece of one row is a row, too.</param>
    /// <param name="codes">absmax.Length rows of codes. No rows are allowed.</param>
    /// <param name="absmax">One float32 per row (SCB).</param>
    /// <param name="type">The format to write.</param>
    /// <param name="destination">type.Size() bytes for each code, little-endian, any alignment.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">A span's length is not what rows and columns need.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There are no columns, or the element type is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Run(
        int columns,
        ReadOnlySpan<sbyte> codes,
        ReadOnlySpan<float> absmax,
        ElementType type,
        Span<byte> destination,
        KernelPath path)
    {
        Check(columns, codes.Length, absmax.Length, path);
        BlockGrid.CheckLength(nameof(destination), (long)codes.Length * type.Size(), destination.Length);
        if (type == ElementType.F32) Rows<F32Element>(columns, codes, absmax, destination, path);
        else if (type == ElementType.F16) Rows<F16Element>(columns, codes, absmax, destination, path);
        else Rows<BF16Element>(columns, codes, absmax, destination, path);
    }

    // The path becomes a type argument here, outside every loop.
    private static void Rows<TElement>(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, Span<byte> destination, KernelPath path)
        where TElement : struct, IElement
    {
        if (path == KernelPath.V512) Rows<RowDecoder512, TElement>(columns, codes, absmax, destination);
        else if (path == KernelPath.V256) Rows<RowDecoder256, TElement>(columns, codes, absmax, destination);
        else if (path == KernelPath.V128) Rows<RowDecoder128, TElement>(columns, codes, absmax, destination);
        else Reference<TElement>(columns, codes, absmax, destination);
    }

    private static void Check(int columns, int codes, int rows, KernelPath path)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        BlockGrid.CheckLength(nameof(codes), (long)columns * rows, codes);
        KernelPaths.Require(path);
    }
}
