using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Bnb.Quant.Codes;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Blockwise;

public static partial class Dequantize4
{
    // The definition. Slow and obvious on purpose; every other path must give these bytes.
    private static void Reference<TElement>(
        ReadOnlySpan<float> values, int blocksize, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination)
        where TElement : struct, IElement
    {
        for (int i = 0; i < destination.Length / TElement.Size; i++)
        {
            float value = values[Nibbles.CodeAt(packed, i)] * absmax[i / blocksize];
            Write<TElement>(TElement.ToBits(value), destination[(i * TElement.Size)..]);
        }
    }

    /// <summary>All blocks by table look-up. A block has only 16 values, so they are multiplied and rounded once per block,
    /// which gives the bits of doing it once per value. What is less than 32 values at the end goes one by one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks<TLookup, TElement>(
        ReadOnlySpan<float> values, int blocksize, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination)
        where TLookup : struct, ICodeLookup
        where TElement : struct, IElement
    {
        int count = destination.Length / TElement.Size;
        ref byte codes = ref MemoryMarshal.GetReference(packed);
        ref byte stored = ref MemoryMarshal.GetReference(destination);
        ref float map = ref MemoryMarshal.GetReference(values);
        for (int block = 0; block < absmax.Length; block++)
        {
            // Inside the spans: Run has checked all lengths against count, and groups * 32 <= count - start.
            int start = block * blocksize;
            int groups = Math.Min(blocksize, count - start) / 32;
            TLookup.ToStored<TElement>(
                ref map,
                absmax[block],
                ref Unsafe.Add(ref codes, start / 2),
                ref Unsafe.Add(ref stored, (nint)start * TElement.Size),
                groups);
        }

        for (int i = count / 32 * 32; i < count; i++)
        {
            float value = values[Nibbles.CodeAt(packed, i)] * absmax[^1];
            Write<TElement>(TElement.ToBits(value), destination[(i * TElement.Size)..]);
        }
    }

    private static void Write<TElement>(uint bits, Span<byte> destination)
        where TElement : struct, IElement
    {
        if (TElement.Size == 4) BinaryPrimitives.WriteUInt32LittleEndian(destination, bits);
        else BinaryPrimitives.WriteUInt16LittleEndian(destination, (ushort)bits);
    }
}
