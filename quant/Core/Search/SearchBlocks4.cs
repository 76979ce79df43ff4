using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Search;

/// <summary>
/// Blockwise 4-bit quantization in bitsandbytes' layout with a better scale than absmax: per block the one, of either sign,
/// whose codes leave the least squared error. Readers multiply codes by whatever the absmax tensor holds, so the result costs
/// them nothing. The codes are the type's own decision on x * (1 / scale), taken for the scale as it is decoded.
/// </summary>
public static class SearchBlocks4
{
    /// <summary>Of the float32 scales those are compared that have so many significant bits; the best one is then refined to all
    /// bits.</summary>
    public const int SignificantBits = 8;

    /// <summary>A bound search; arguments are checked before it runs. Empty <paramref name="nestedAbsmax"/>: scales are
    /// float32 and go to <paramref name="absmax"/>, else codes go to <paramref name="nestedCodes"/>.</summary>
    internal delegate bool Kernel(
        ElementType type,
        int blocksize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<float> absmax,
        Span<byte> nestedCodes,
        Span<float> nestedAbsmax,
        Span<byte> packed,
        KernelPath path);

    /// <summary>
    /// Quantizes a flat run of values; the scale is any float32. Exact: the same bytes on every path, namely those of
    /// <see cref="BlockSearchReference{TTable, TSet}"/>.
    /// </summary>
    /// <param name="code">The 4-bit data type.</param>
    /// <param name="type">What <paramref name="source"/> holds.</param>
    /// <param name="blocksize">Values per block, a power of two from 32 to 4096. The last block may be short.</param>
    /// <param name="source">The values as stored: little-endian, any alignment. Empty is allowed.</param>
    /// <param name="importance">What an error in each value weighs.</param>
    /// <param name="absmax">One float32 per block: the scale, negative where that is better.</param>
    /// <param name="packed">(count + 1) / 2 bytes, the first value of a pair in the high nibble.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <returns>Whether every value is finite. When not, the output is not defined.</returns>
    /// <remarks>
    /// An all-zero block has scale 0 and code 0 everywhere, the padding nibble included, as without a search. Where absmax is
    /// below 2^-100 or above 2^100 it is the scale. Otherwise the padding nibble is <see cref="Code4.ZeroCode"/>.
    /// </remarks>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Block size or element type is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static bool Run(
        Code4 code,
        ElementType type,
        int blocksize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<float> absmax,
        Span<byte> packed,
        KernelPath path)
    {
        int count = Check(code, type, blocksize, source, packed, path);
        BlockGrid.CheckLength(nameof(absmax), BlockGrid.BlockCount(count, blocksize), absmax.Length);
        return SearchKernel4.Of(code)(type, blocksize, source, importance, absmax, default, default, packed, path);
    }

    /// <summary>
    /// The same with double quantization, in groups of 256 blocks: nested absmax is the largest magnitude of the group's values,
    /// the nested offset is 0, and each block takes the one of the 256 nested codes whose decoded scale leaves the least error.
    /// So nothing depends on blocks of other groups. Exact as <see cref="Run"/>.
    /// </summary>
    /// <param name="source">The values as stored; its first block begins a group of its tensor.</param>
    /// <param name="nestedCodes">One 8-bit code per block.</param>
    /// <param name="nestedAbsmax">One float32 per 256 blocks, the last group may be short.</param>
    /// <inheritdoc cref="Run"/>
    public static bool RunNested(
        Code4 code,
        ElementType type,
        int blocksize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<byte> nestedCodes,
        Span<float> nestedAbsmax,
        Span<byte> packed,
        KernelPath path)
    {
        int count = Check(code, type, blocksize, source, packed, path);
        long blocks = BlockGrid.BlockCount(count, blocksize);
        BlockGrid.CheckLength(nameof(nestedCodes), blocks, nestedCodes.Length);
        BlockGrid.CheckLength(nameof(nestedAbsmax), BlockGrid.BlockCount(blocks, NestedAbsmax.Blocksize), nestedAbsmax.Length);
        return SearchKernel4.Of(code)(type, blocksize, source, importance, default, nestedCodes, nestedAbsmax, packed, path);
    }

    internal static bool Run<TCode>(
        ElementType type,
        int blocksize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<float> absmax,
        Span<byte> nestedCodes,
        Span<float> nestedAbsmax,
        Span<byte> packed,
        KernelPath path)
        where TCode : struct, ICode4
    {
        var block = new LoadedBlock<CodeTable<TCode>>(type, blocksize, path);
        return nestedAbsmax.IsEmpty
            ? Single(block, blocksize, source, importance, absmax, packed, path)
            : Nested(block, blocksize, source, importance, nestedCodes, nestedAbsmax, packed, path);
    }

    private static bool Single<TTable>(
        LoadedBlock<TTable> block,
        int blocksize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<float> absmax,
        Span<byte> packed,
        KernelPath path)
        where TTable : struct, ISearchTable
    {
        ScaleFinder find = ScaleFinders.On<TTable, ShortScales>(path, new ShortScales(SignificantBits));
        for (int i = 0; i < absmax.Length; i++)
        {
            if (!block.Load(source, i)) return false;
            ScaleChoice choice = block.Search(find, importance, (long)i * blocksize);
            absmax[i] = choice.Index < 0 ? block.Absmax : choice.Scale;
            Write(block, absmax[i], packed[(i * (blocksize / 2))..]);
        }

        return true;
    }

    private static bool Nested<TTable>(
        LoadedBlock<TTable> block,
        int blocksize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<byte> nestedCodes,
        Span<float> nestedAbsmax,
        Span<byte> packed,
        KernelPath path)
        where TTable : struct, ISearchTable
    {
        var set = new NestedScales();
        ScaleFinder find = ScaleFinders.On<TTable, NestedScales>(path, set);
        for (int group = 0; group < nestedAbsmax.Length; group++)
        {
            int first = group * NestedAbsmax.Blocksize, end = Math.Min(first + NestedAbsmax.Blocksize, nestedCodes.Length);
            float largest = 0f;
            for (int i = first; i < end; i++)
            {
                if (!block.Load(source, i)) return false;
                largest = MathF.Max(largest, block.Absmax);
            }

            nestedAbsmax[group] = largest;
            set.Fill(largest);
            for (int i = first; i < end; i++)
            {
                block.Load(source, i);
                nestedCodes[i] = Choose(block, set, find, importance, (long)i * blocksize, out float scale);
                Write(block, scale, packed[(i * (blocksize / 2))..]);
            }
        }

        return true;
    }

    private static byte Choose<TTable>(
        LoadedBlock<TTable> block, NestedScales set, ScaleFinder find, ColumnImportance importance, long start, out float scale)
        where TTable : struct, ISearchTable
    {
        scale = 0f;
        // All codes decode to next to nothing when every absmax of the group does.
        if (block.Absmax == 0 || set.Count(negative: false) == 0) return NestedScales.ZeroCode;
        ScaleChoice choice = block.Search(find, importance, start);
        int index = choice.Index < 0 ? set.Floor(block.Absmax, negative: false) : choice.Index;
        scale = set.At(index, choice.Negative);
        if (choice.Negative) scale = -scale;
        return set.CodeAt(index, choice.Negative);
    }

    /// <summary>The packed codes of the loaded block; all 0 under the scale 0.</summary>
    private static void Write<TTable>(LoadedBlock<TTable> block, float scale, Span<byte> packed)
        where TTable : struct, ISearchTable
    {
        packed = packed[..((block.Count + 1) / 2)];
        if (scale == 0)
        {
            packed.Clear();
            return;
        }

        ReadOnlySpan<byte> codes = block.Encode(scale);
        for (int i = 0; i < packed.Length; i++) packed[i] = Nibbles.Pack(codes[2 * i], codes[2 * i + 1]);
    }

    private static int Check(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, ReadOnlySpan<byte> packed, KernelPath path)
    {
        ArgumentNullException.ThrowIfNull(code);
        BlockGrid.CheckBlocksize(blocksize);
        int size = type.Size();
        if (source.Length % size != 0)
        {
            throw new ArgumentException($"{source.Length} bytes are not whole values of {type}", nameof(source));
        }

        int count = source.Length / size;
        BlockGrid.CheckLength(nameof(packed), (count + 1) / 2, packed.Length);
        KernelPaths.Require(path);
        return count;
    }
}
