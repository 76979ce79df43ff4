using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int8;

// The definition. Slow and obvious on purpose; every other path must give these bytes.
public static partial class QuantizeRows8
{
    /// <summary>All rows by the definition. Returns whether every value is finite as float16.</summary>
    private static bool Reference<TElement>(
        int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes)
        where TElement : struct, IElement
    {
        bool finite = true;
        for (int row = 0; row < absmax.Length; row++)
        {
            ReadOnlySpan<byte> values = source.Slice(row * columns * TElement.Size, columns * TElement.Size);
            absmax[row] = 0f;
            finite &= ReferenceAbsmax<TElement>(values, ref absmax[row]);
            ReferenceEncode<TElement>(values, absmax[row], codes.Slice(row * columns, columns));
        }

        return finite;
    }

    private static bool ReferenceAbsmax<TElement>(ReadOnlySpan<byte> values, ref float absmax)
        where TElement : struct, IElement
    {
        bool finite = true;
        for (int i = 0; i < values.Length / TElement.Size; i++)
        {
            float magnitude = MathF.Abs(HalfAt<TElement>(values, i));
            finite &= float.IsFinite(magnitude);
            // False for NaN, which is how fmaxf skips it.
            if (magnitude > absmax) absmax = magnitude;
        }

        return finite;
    }

    private static void ReferenceEncode<TElement>(ReadOnlySpan<byte> values, float absmax, Span<sbyte> codes)
        where TElement : struct, IElement
    {
        float scale = ScaleOf(absmax);
        for (int i = 0; i < codes.Length; i++)
        {
            float value = HalfAt<TElement>(values, i);
            if (MathF.Abs(value) > absmax) ThrowNotAbsmax(absmax);
            float x = value * scale;
            // 0 * inf, inf * 0 and NaN itself; the kernel's conversion gives 0 as well.
            codes[i] = float.IsNaN(x) ? (sbyte)0 : (sbyte)MathF.Round(x, MidpointRounding.ToEven);
        }
    }

    /// <summary>127 / absmax with torch's two roundings: its division of a number by a tensor multiplies by reciprocals.
    /// Infinite for absmax 0 and for an absmax below every binary16, 0 for infinity.</summary>
    private static float ScaleOf(float absmax) => 1f / absmax * 127f;

    private static float HalfAt<TElement>(ReadOnlySpan<byte> values, int index)
        where TElement : struct, IElement => (float)(Half)TElement.ToSingle(values, index);
}
