using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.ScaledCodes;

/// <summary>
/// Values of scaled codes: FP8 with scales per tensor, channel or block, MXFP4, NVFP4, and the integers of GPTQ and AWQ. They
/// differ in what a code stands for, how many neighbours share a scale, and in which type the result is rounded first.
/// </summary>
public static class DecodeCodes
{
    /// <summary>
    /// A piece of one row: value = code * scale, or (code - zero) * scale, one float32 product, rounded to
    /// <paramref name="through"/> and then to <paramref name="type"/> (nothing happens twice where they are the same, nor for
    /// F32). Exact in the IEEE sense, subnormals and the signs of zeros kept; every NaN becomes the
    /// positive quiet NaN of the type. The same bytes on every path.
    /// </summary>
    /// <param name="code">What the codes are.</param>
    /// <param name="codes">A byte per code, see <see cref="UnpackCodes"/> for smaller ones. Empty is allowed.</param>
    /// <param name="scales">One per <paramref name="width"/> codes, the first and the last of which may be cut.</param>
    /// <param name="zeros">As many zero points, or none for 0; small integers.</param>
    /// <param name="phase">Codes of the first scale that precede the piece; below <paramref name="width"/>.</param>
    /// <param name="width">Codes that share a scale, at least 1.</param>
    /// <param name="through">The type that the format's own library computes in; F32 when it rounds once.</param>
    /// <param name="type">The type to write.</param>
    /// <param name="destination">type.Size() bytes for each code, little-endian, any alignment.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">A span's length is not what the codes need.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Width, phase, code or a type is out of range.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Row(
        ScaledCode code,
        ReadOnlySpan<byte> codes,
        ReadOnlySpan<float> scales,
        ReadOnlySpan<float> zeros,
        int phase,
        int width,
        ElementType through,
        ElementType type,
        Span<byte> destination,
        KernelPath path)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegative(phase);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(phase, width);
        long needed = codes.IsEmpty ? 0 : (((long)phase + codes.Length - 1) / width) + 1;
        BlockGrid.CheckLength(nameof(scales), needed, scales.Length);
        if (!zeros.IsEmpty) BlockGrid.CheckLength(nameof(zeros), needed, zeros.Length);
        BlockGrid.CheckLength(nameof(destination), (long)codes.Length * type.Size(), destination.Length);
        KernelPaths.Require(path);
        var row = new CodeRow(codes, scales, zeros, phase, width, destination);
        switch (code)
        {
            case ScaledCode.E4M3: Rounded<FloatCode<E4M3Layout>>(row, through, type, path); break;
            case ScaledCode.E2M1: Rounded<FloatCode<E2M1Layout>>(row, through, type, path); break;
            case ScaledCode.TwiceE2M1: Rounded<FloatCode<TwiceE2M1Layout>>(row, through, type, path); break;
            case ScaledCode.Unsigned: Rounded<UnsignedCode>(row, through, type, path); break;
            default: throw new ArgumentOutOfRangeException(nameof(code), code, "not a scaled code");
        }
    }

    // The types and the path become type arguments here, outside every loop.
    private static void Rounded<TCode>(CodeRow row, ElementType through, ElementType type, KernelPath path)
        where TCode : struct, IScaledCode
    {
        if (type == ElementType.F32) Through<TCode, F32Element>(row, through, type, path);
        else if (type == ElementType.F16) Through<TCode, F16Element>(row, through, type, path);
        else Through<TCode, BF16Element>(row, through, type, path);
    }

    private static void Through<TCode, TElement>(CodeRow row, ElementType through, ElementType type, KernelPath path)
        where TCode : struct, IScaledCode
        where TElement : struct, IElement
    {
        if (through == type || through == ElementType.F32) Blocks<TCode, F32Element, TElement>(row, path);
        else if (through == ElementType.F16) Blocks<TCode, F16Element, TElement>(row, path);
        else Blocks<TCode, BF16Element, TElement>(row, path);
    }

    private static void Blocks<TCode, TThrough, TElement>(CodeRow row, KernelPath path)
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement
    {
        if (path == KernelPath.V512) Blocks<CodeKernel512, TCode, TThrough, TElement>(row);
        else if (path == KernelPath.V256) Blocks<CodeKernel256, TCode, TThrough, TElement>(row);
        else if (path == KernelPath.V128) Blocks<CodeKernel128, TCode, TThrough, TElement>(row);
        else Blocks<CodeKernelReference, TCode, TThrough, TElement>(row);
    }

    private static void Blocks<TKernel, TCode, TThrough, TElement>(CodeRow row)
        where TKernel : struct, ICodeKernel
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement
    {
        int phase = row.Phase;
        for (int done = 0, block = 0; done < row.Codes.Length; block++, phase = 0)
        {
            int count = Math.Min(row.Width - phase, row.Codes.Length - done);
            ref byte codes = ref MemoryMarshal.GetReference(row.Codes[done..]);
            ref byte place = ref MemoryMarshal.GetReference(row.Destination[(done * TElement.Size)..]);
            float zero = row.Zeros.IsEmpty ? 0f : row.Zeros[block];
            if (count >= TKernel.Least) TKernel.Run<TCode, TThrough, TElement>(ref codes, count, row.Scales[block], zero, ref place);
            else CodeKernelReference.Run<TCode, TThrough, TElement>(ref codes, count, row.Scales[block], zero, ref place);
            done += count;
        }
    }

    /// <summary>The spans of one call.</summary>
    private readonly ref struct CodeRow(
        ReadOnlySpan<byte> codes, ReadOnlySpan<float> scales, ReadOnlySpan<float> zeros, int phase, int width, Span<byte> destination)
    {
        public ReadOnlySpan<byte> Codes { get; } = codes;

        public ReadOnlySpan<float> Scales { get; } = scales;

        public ReadOnlySpan<float> Zeros { get; } = zeros;

        public int Phase { get; } = phase;

        public int Width { get; } = width;

        public Span<byte> Destination { get; } = destination;
    }
}
