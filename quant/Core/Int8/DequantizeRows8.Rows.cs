using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int8;

/// <summary>Decodes the codes of one row, for one vector width.</summary>
internal interface IRowDecoder
{
    /// <summary>The least number of codes that <see cref="ToStored"/> takes.</summary>
    static abstract int Least { get; }

    /// <summary>Writes the values of at least <see cref="Least"/> codes as stored. What is no multiple of the step is done by
    /// a last step that overlaps the one before and writes the same bytes again.</summary>
    static abstract void ToStored<TElement>(ref sbyte codes, int count, float absmax, ref byte destination)
        where TElement : struct, IElement;
}

public static partial class DequantizeRows8
{
    // The definition. Slow and obvious on purpose; every other path must give these bytes.
    private static void Reference<TElement>(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, Span<byte> destination)
        where TElement : struct, IElement
    {
        for (int i = 0; i < codes.Length; i++)
        {
            uint bits = TElement.ToBits(codes[i] * absmax[i / columns] * Reciprocal);
            Span<byte> place = destination[(i * TElement.Size)..];
            if (TElement.Size == 4) BinaryPrimitives.WriteUInt32LittleEndian(place, bits);
            else BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)bits);
        }
    }

    private static void Rows<TDecoder, TElement>(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, Span<byte> destination)
        where TDecoder : struct, IRowDecoder
        where TElement : struct, IElement
    {
        if (columns < TDecoder.Least)
        {
            Reference<TElement>(columns, codes, absmax, destination);
            return;
        }

        for (int row = 0; row < absmax.Length; row++)
        {
            ReadOnlySpan<sbyte> rowCodes = codes.Slice(row * columns, columns);
            Span<byte> rowBytes = destination.Slice(row * columns * TElement.Size, columns * TElement.Size);
            TDecoder.ToStored<TElement>(
                ref MemoryMarshal.GetReference(rowCodes), columns, absmax[row], ref MemoryMarshal.GetReference(rowBytes));
        }
    }
}
