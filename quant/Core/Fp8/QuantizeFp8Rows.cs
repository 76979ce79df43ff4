using System.Numerics;
using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Fp8;

/// <summary>
/// FP8 (E4M3) with a scale per row, as compressed-tensors quantizes for FP8_DYNAMIC: scale = R(absmax / 448), the type's
/// epsilon where that is 0; code = E4M3 of R(value / scale) clamped to [-448, 448]. R rounds to the weights' type, as torch
/// does. Source: compressed-tensors 0.20, <c>quantization/utils/helpers.py calculate_qparams</c>,
/// <c>quantization/lifecycle/forward.py _quantize</c>. The way back is <see cref="ScaledCodes.DecodeCodes"/>.
/// </summary>
/// <remarks>Exact: the same bytes on every path. A row with a NaN or an infinity is still defined: its scale is NaN or
/// infinite.</remarks>
public static class QuantizeFp8Rows
{
    /// <summary>Values that are widened at a time; they stay in the first-level cache.</summary>
    private const int Strip = 1024;

    /// <summary>Whole rows: <see cref="RowAbsmax"/>, <see cref="Scale"/> and <see cref="Encode(ElementType, ReadOnlySpan{byte}, float, Span{byte}, KernelPath)"/> for each.</summary>
    /// <param name="type">What <paramref name="source"/> holds.</param>
    /// <param name="columns">Values of a row, at least 1.</param>
    /// <param name="source">[rows, columns] as stored: little-endian, any alignment.</param>
    /// <param name="scales">One value of the type per row.</param>
    /// <param name="codes">A byte per value.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <returns>Whether all values are finite.</returns>
    /// <exception cref="ArgumentException">The lengths disagree.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no column, or the element type is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static bool Run(
        ElementType type, int columns, ReadOnlySpan<byte> source, Span<byte> scales, Span<byte> codes, KernelPath path)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        int size = type.Size(), rows = scales.Length / size;
        BlockGrid.CheckLength(nameof(codes), (long)rows * columns, codes.Length);
        BlockGrid.CheckLength(nameof(source), (long)rows * columns * size, source.Length);
        bool finite = true;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<byte> values = source.Slice(row * columns * size, columns * size);
            float absmax = 0f;
            finite &= RowAbsmax(type, values, ref absmax);
            float scale = Scale(type, absmax, scales.Slice(row * size, size));
            Encode(type, values, scale, codes.Slice(row * columns, columns), path);
        }

        return finite;
    }

    /// <summary>The largest magnitude of a piece of a row, or what <paramref name="absmax"/> was when that is larger; a NaN
    /// stays.</summary>
    /// <param name="type">What <paramref name="piece"/> holds.</param>
    /// <param name="piece">Whole values as stored: little-endian, any alignment. Empty is allowed.</param>
    /// <param name="absmax">Zero for a row's first piece.</param>
    /// <returns>Whether every value so far is finite.</returns>
    /// <exception cref="ArgumentException">The piece does not end with a whole value.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The element type is not supported.</exception>
    public static bool RowAbsmax(ElementType type, ReadOnlySpan<byte> piece, ref float absmax)
    {
        if (piece.Length % type.Size() != 0)
            throw new ArgumentException($"{piece.Length} bytes are not whole values of {type}", nameof(piece));
        // Magnitudes as stored order like integers, NaN above the infinities above all else.
        uint magnitude = type == ElementType.F32
            ? Largest(MemoryMarshal.Cast<byte, uint>(piece), 0x7FFF_FFFFu)
            : Largest(MemoryMarshal.Cast<byte, ushort>(piece), (ushort)0x7FFF);
        float found = type switch
        {
            ElementType.F32 => F32Element.FromBits(magnitude),
            ElementType.F16 => (float)BitConverter.UInt16BitsToHalf((ushort)magnitude),
            _ => BF16Element.FromBits(magnitude),
        };
        absmax = MathF.Max(absmax, found);
        return float.IsFinite(absmax);
    }

    /// <summary>The scale of a row, as stored.</summary>
    /// <param name="type">The weights' type, which is the scale's, too.</param>
    /// <param name="absmax">The row's largest magnitude.</param>
    /// <param name="scale">type.Size() bytes.</param>
    /// <returns>The scale as float32.</returns>
    /// <exception cref="ArgumentException">The span is not as long as a value.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The element type is not supported.</exception>
    public static float Scale(ElementType type, float absmax, Span<byte> scale)
    {
        float value = absmax / E4M3.Largest;
        Narrow.FromSingle(type, [value], scale);
        Span<float> rounded = stackalloc float[1];
        Widen.ToSingle(type, scale, rounded);
        if (rounded[0] != 0) return rounded[0];
        float epsilon = type switch
        {
            ElementType.F32 => F32Element.Epsilon,
            ElementType.F16 => F16Element.Epsilon,
            _ => BF16Element.Epsilon,
        };
        Narrow.FromSingle(type, [epsilon], scale);
        return epsilon;
    }

    /// <summary>The codes of a piece of a row.</summary>
    /// <param name="type">What <paramref name="piece"/> holds.</param>
    /// <param name="piece">Whole values as stored: little-endian, any alignment. Empty is allowed.</param>
    /// <param name="scale">What <see cref="Scale"/> returned for the row.</param>
    /// <param name="codes">A byte per value.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">The lengths disagree.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The element type is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Encode(ElementType type, ReadOnlySpan<byte> piece, float scale, Span<byte> codes, KernelPath path)
    {
        BlockGrid.CheckLength(nameof(piece), (long)codes.Length * type.Size(), piece.Length);
        KernelPaths.Require(path);
        if (type == ElementType.F32) Encode<F32Element>(piece, scale, codes, path);
        else if (type == ElementType.F16) Encode<F16Element>(piece, scale, codes, path);
        else Encode<BF16Element>(piece, scale, codes, path);
    }

    private static void Encode<TElement>(ReadOnlySpan<byte> piece, float scale, Span<byte> codes, KernelPath path)
        where TElement : struct, IElement
    {
        if (path == KernelPath.V512) Encode<Fp8Kernel512, TElement>(piece, scale, codes);
        else if (path == KernelPath.V256) Encode<Fp8Kernel256, TElement>(piece, scale, codes);
        else if (path == KernelPath.V128) Encode<Fp8Kernel128, TElement>(piece, scale, codes);
        else Encode<Fp8KernelReference, TElement>(piece, scale, codes);
    }

    private static void Encode<TKernel, TElement>(ReadOnlySpan<byte> piece, float scale, Span<byte> codes)
        where TKernel : struct, IFp8Kernel
        where TElement : struct, IElement
    {
        Span<float> values = stackalloc float[Strip];
        for (int done = 0; done < codes.Length; done += Strip)
        {
            Span<float> strip = values[..Math.Min(Strip, codes.Length - done)];
            Widen.ToSingle(TElement.Type, piece.Slice(done * TElement.Size, strip.Length * TElement.Size), strip);
            ref float from = ref MemoryMarshal.GetReference(strip);
            ref byte to = ref MemoryMarshal.GetReference(codes[done..]);
            if (strip.Length >= TKernel.Least) TKernel.Encode<TElement>(ref from, strip.Length, scale, ref to);
            else Fp8KernelReference.Encode<TElement>(ref from, strip.Length, scale, ref to);
        }
    }

    private static uint Largest<TBits>(ReadOnlySpan<TBits> values, TBits mask)
        where TBits : struct, IBinaryInteger<TBits>
    {
        ReadOnlySpan<Vector<TBits>> vectors = MemoryMarshal.Cast<TBits, Vector<TBits>>(values);
        Vector<TBits> running = default, wanted = new(mask);
        foreach (Vector<TBits> vector in vectors) running = Vector.Max(running, vector & wanted);
        TBits largest = TBits.Zero;
        for (int i = 0; i < Vector<TBits>.Count; i++) largest = TBits.Max(largest, running[i]);
        foreach (TBits value in values[(vectors.Length * Vector<TBits>.Count)..])
            largest = TBits.Max(largest, value & mask);
        return uint.CreateTruncating(largest);
    }
}
