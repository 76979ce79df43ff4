using System.Numerics;
using System.Runtime.InteropServices;

namespace Bnb.Quant.Numerics;

/// <summary>Finds NaN and infinities in stored values. Exact: it looks at exponent and fraction bits only.</summary>
public static class NonFinite
{
    /// <summary>Counts by kind. One value at a time; meant for the report after <see cref="Any"/> said yes.</summary>
    /// <param name="type">What the source holds.</param>
    /// <param name="source">Little-endian values, any alignment; empty is allowed.</param>
    /// <exception cref="ArgumentException">The source is not whole values.</exception>
    public static NonFiniteCount Count(ElementType type, ReadOnlySpan<byte> source)
    {
        CheckWhole(type, source.Length);
        return type switch
        {
            ElementType.F32 => Count<F32Element>(source),
            ElementType.F16 => Count<F16Element>(source),
            _ => Count<BF16Element>(source),
        };
    }

    /// <summary>Whether any value is a NaN or an infinity. Arguments as in <see cref="Count"/>.</summary>
    /// <exception cref="ArgumentException">The source is not whole values.</exception>
    public static bool Any(ElementType type, ReadOnlySpan<byte> source)
    {
        CheckWhole(type, source.Length);
        return type switch
        {
            ElementType.F32 => Any<uint>(source, 0x7FFF_FFFF, 0x7F80_0000),
            ElementType.F16 => Any<ushort>(source, 0x7FFF, 0x7C00),
            _ => Any<ushort>(source, 0x7FFF, 0x7F80),
        };
    }

    /// <summary>Whether (bits &amp; mask) &gt;= limit for any stored integer: an exponent of all ones.</summary>
    private static bool Any<TBits>(ReadOnlySpan<byte> source, TBits mask, TBits limit)
        where TBits : unmanaged, IBinaryInteger<TBits>
    {
        // Looking at the running maximum once per stretch keeps the inner loop to three operations and still ends early.
        const int Stretch = 1 << 14;
        ReadOnlySpan<TBits> values = MemoryMarshal.Cast<byte, TBits>(source);
        while (values.Length >= Vector<TBits>.Count)
        {
            ReadOnlySpan<TBits> stretch = values[..Math.Min(values.Length, Stretch)];
            ReadOnlySpan<Vector<TBits>> vectors = MemoryMarshal.Cast<TBits, Vector<TBits>>(stretch);
            Vector<TBits> magnitudes = default, wanted = new(mask);
            foreach (Vector<TBits> vector in vectors) magnitudes = Vector.Max(magnitudes, vector & wanted);
            if (Vector.GreaterThanOrEqualAny(magnitudes, new Vector<TBits>(limit))) return true;
            values = values[(vectors.Length * Vector<TBits>.Count)..];
        }

        foreach (TBits value in values)
        {
            if ((value & mask) >= limit) return true;
        }

        return false;
    }

    private static NonFiniteCount Count<TElement>(ReadOnlySpan<byte> source)
        where TElement : struct, IElement
    {
        long nan = 0, positive = 0, negative = 0, first = -1;
        for (int i = 0; i < source.Length / TElement.Size; i++)
        {
            float value = TElement.ToSingle(source, i);
            if (float.IsFinite(value)) continue;
            if (first < 0) first = i;
            if (float.IsNaN(value)) nan++;
            else if (value > 0) positive++;
            else negative++;
        }

        return new(nan, positive, negative, first);
    }

    private static void CheckWhole(ElementType type, int length)
    {
        if (length % type.Size() != 0) throw new ArgumentException($"{length} bytes are not whole values of {type}");
    }
}
