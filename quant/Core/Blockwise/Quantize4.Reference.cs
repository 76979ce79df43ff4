using System.Runtime.CompilerServices;
using Bnb.Quant.Codes;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Blockwise;

// The definition. Slow and obvious on purpose; every other path must give these bytes.
public static partial class Quantize4
{
    /// <summary>All blocks by the definition. Returns whether every value is finite.</summary>
    private static bool Reference<TCode, TElement>(
        int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
        where TCode : struct, ICode4
        where TElement : struct, IElement
    {
        bool finite = true;
        for (int block = 0; block < absmax.Length; block++)
        {
            ReadOnlySpan<byte> rest = source[(block * blocksize * TElement.Size)..];
            ReadOnlySpan<byte> values = rest[..Math.Min(rest.Length, blocksize * TElement.Size)];
            finite &= ReferenceBlock<TCode, TElement>(values, out absmax[block], packed[(block * blocksize / 2)..]);
        }

        return finite;
    }

    /// <summary>
    /// One block, full or short, by the definition: absmax, then (count + 1) / 2 bytes at the start of
    /// <paramref name="packed"/>. Returns whether every value is finite.
    /// </summary>
    private static bool ReferenceBlock<TCode, TElement>(ReadOnlySpan<byte> values, out float absmax, Span<byte> packed)
        where TCode : struct, ICode4
        where TElement : struct, IElement
    {
        int count = values.Length / TElement.Size;
        bool finite = true;
        absmax = 0f;
        for (int i = 0; i < count; i++)
        {
            float magnitude = MathF.Abs(TElement.ToSingle(values, i));
            finite &= float.IsFinite(magnitude);
            // False for NaN, which is how fmaxf skips it.
            if (magnitude > absmax) absmax = magnitude;
        }

        var scale = new BlockScale(absmax);
        for (int i = 0; i < count; i += 2)
        {
            byte first = TCode.Encode(scale.Apply(TElement.ToSingle(values, i)));
            // The kernel loads 0.0 where a value is missing, so the padding follows the block's own rule.
            byte second = TCode.Encode(scale.Apply(i + 1 < count ? TElement.ToSingle(values, i + 1) : 0f));
            packed[i / 2] = Nibbles.Pack(first, second);
        }

        return finite;
    }

    /// <summary>
    /// A full block that the vector kernels leave alone: NaN or infinity in it, or an absmax whose reciprocal overflows. The
    /// all-zero one among them is common in padded weights and has nothing to compute.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool RareBlock<TCode, TElement>(
        ReadOnlySpan<byte> source, int blocksize, int block, Span<float> absmax, Span<byte> packed, bool allZero)
        where TCode : struct, ICode4
        where TElement : struct, IElement
    {
        Span<byte> bytes = packed.Slice(block * (blocksize / 2), blocksize / 2);
        if (allZero)
        {
            absmax[block] = 0f;
            bytes.Clear();
            return true;
        }

        int blockBytes = blocksize * TElement.Size;
        return ReferenceBlock<TCode, TElement>(source.Slice(block * blockBytes, blockBytes), out absmax[block], bytes);
    }

    /// <summary>The short block after <paramref name="fullBlocks"/> full ones, if there is one, by the definition.</summary>
    private static bool LastBlock<TCode, TElement>(
        ReadOnlySpan<byte> source, int blocksize, int fullBlocks, Span<float> absmax, Span<byte> packed)
        where TCode : struct, ICode4
        where TElement : struct, IElement
    {
        ReadOnlySpan<byte> values = source[(fullBlocks * blocksize * TElement.Size)..];
        return Reference<TCode, TElement>(blocksize, values, absmax[fullBlocks..], packed[(fullBlocks * (blocksize / 2))..]);
    }
}
