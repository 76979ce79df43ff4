using System.Runtime.InteropServices;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int8;

/// <summary>The two inner loops of a vector width. Both handle what is no multiple of their step by a last step that
/// overlaps the one before; a maximum and codes come out the same when values are looked at twice.</summary>
internal interface IRowKernel
{
    /// <summary>The least number of values that <see cref="MaxMagnitude"/> and <see cref="Encode"/> take.</summary>
    static abstract int Least { get; }

    /// <summary>The largest stored magnitude (bits without sign) of at least <see cref="Least"/> values.</summary>
    static abstract uint MaxMagnitude<TElement>(ref byte values, int count)
        where TElement : struct, IElement;

    /// <summary>The codes of at least <see cref="Least"/> values, all below <see cref="IElement.HalfOverflow"/>, such that
    /// |value * scale| &lt; 2^22.</summary>
    static abstract void Encode<TElement>(ref byte values, int count, float scale, ref sbyte codes)
        where TElement : struct, IElement;
}

/// <summary>Rounding to an integer by one addition: 1.5 * 2^23 + x, for |x| &lt; 2^22, has its last bit at 1, so the sum is
/// rounded to an integer, ties to even, and its low byte is that integer in two's complement.</summary>
internal static class RowRounding
{
    public const float Magic = 12582912f;
}

// What the vector widths share. Values that are not finite as float16 are rare and left to the definition.
public static partial class QuantizeRows8
{
    /// <summary>Values between two looks at the magnitudes in <see cref="Encode"/>; they stay in the first-level cache.</summary>
    private const int Strip = 4096;

    private static bool Rows<TKernel, TElement>(
        int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes)
        where TKernel : struct, IRowKernel
        where TElement : struct, IElement
    {
        bool finite = true;
        for (int row = 0; row < absmax.Length; row++)
        {
            ReadOnlySpan<byte> values = source.Slice(row * columns * TElement.Size, columns * TElement.Size);
            Span<sbyte> rowCodes = codes.Slice(row * columns, columns);
            float rowAbsmax = 0f;
            bool rowFinite = Absmax<TKernel, TElement>(values, ref rowAbsmax);
            absmax[row] = rowAbsmax;
            if (rowFinite) EncodeFinite<TKernel, TElement>(values, rowAbsmax, rowCodes);
            else ReferenceEncode<TElement>(values, rowAbsmax, rowCodes);
            finite &= rowFinite;
        }

        return finite;
    }

    private static bool Absmax<TKernel, TElement>(ReadOnlySpan<byte> values, ref float absmax)
        where TKernel : struct, IRowKernel
        where TElement : struct, IElement
    {
        int count = values.Length / TElement.Size;
        if (count < TKernel.Least) return ReferenceAbsmax<TElement>(values, ref absmax);
        uint magnitude = TKernel.MaxMagnitude<TElement>(ref MemoryMarshal.GetReference(values), count);
        if (magnitude >= TElement.HalfOverflow) return ReferenceAbsmax<TElement>(values, ref absmax);

        // Rounding is monotone: the largest magnitude, rounded, is the largest rounded magnitude.
        float largest = (float)(Half)TElement.MagnitudeToSingle(magnitude);
        if (largest > absmax) absmax = largest;
        return true;
    }

    /// <summary>Codes of values that are finite as float16 and at most absmax.</summary>
    private static void EncodeFinite<TKernel, TElement>(ReadOnlySpan<byte> values, float absmax, Span<sbyte> codes)
        where TKernel : struct, IRowKernel
        where TElement : struct, IElement
    {
        float scale = ScaleOf(absmax);
        if (float.IsInfinity(scale)) codes.Clear();
        else if (codes.Length < TKernel.Least) ReferenceEncode<TElement>(values, absmax, codes);
        else
        {
            TKernel.Encode<TElement>(
                ref MemoryMarshal.GetReference(values), codes.Length, scale, ref MemoryMarshal.GetReference(codes));
        }
    }

    /// <summary>A piece of a row, strip by strip: a strip is encoded in vectors when its values are finite and at most
    /// absmax, which the callers of <see cref="EncodeFinite"/> otherwise know.</summary>
    private static void Strips<TKernel, TElement>(ReadOnlySpan<byte> piece, float absmax, Span<sbyte> codes)
        where TKernel : struct, IRowKernel
        where TElement : struct, IElement
    {
        for (int start = 0; start < codes.Length; start += Strip)
        {
            int count = Math.Min(Strip, codes.Length - start);
            ReadOnlySpan<byte> values = piece.Slice(start * TElement.Size, count * TElement.Size);
            float largest = 0f;
            bool plain = Absmax<TKernel, TElement>(values, ref largest) && largest <= absmax;
            if (plain) EncodeFinite<TKernel, TElement>(values, absmax, codes.Slice(start, count));
            else ReferenceEncode<TElement>(values, absmax, codes.Slice(start, count));
        }
    }
}
