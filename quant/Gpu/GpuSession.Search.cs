using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Operations;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Quant.Gpu;

// Searched scales.
public sealed partial class GpuSession
{
    /// <inheritdoc cref="Bnb.Quant.Search.SearchBlocks4.Run(Code4, ElementType, int, ReadOnlySpan{byte}, ColumnImportance, Span{float}, Span{byte}, KernelPath)"/>
    /// <exception cref="GpuException">The device failed, has no float64, or not <see cref="FitsSearch4"/>.</exception>
    public bool SearchBlocks4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, ColumnImportance importance, Span<float> absmax, Span<byte> packed)
    {
        ArgumentNullException.ThrowIfNull(code);
        BlockGrid.CheckBlocksize(blocksize);
        return Search(SearchForm.Blocks4(code, nested: false), type, blocksize, source, importance, MemoryMarshal.AsBytes(absmax), [], packed);
    }

    /// <inheritdoc cref="Bnb.Quant.Search.SearchBlocks4.RunNested"/>
    /// <exception cref="GpuException">The device failed, has no float64, or not <see cref="FitsSearch4"/>.</exception>
    public bool SearchNested4(
        Code4 code,
        ElementType type,
        int blocksize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<byte> nestedCodes,
        Span<float> nestedAbsmax,
        Span<byte> packed)
    {
        ArgumentNullException.ThrowIfNull(code);
        BlockGrid.CheckBlocksize(blocksize);
        return Search(
            SearchForm.Blocks4(code, nested: true), type, blocksize, source, importance, nestedCodes, MemoryMarshal.AsBytes(nestedAbsmax), packed);
    }

    /// <summary>Whether <see cref="SearchBlocks4"/>, or <see cref="SearchNested4"/>, can be asked for: float64, and memory for a block,
    /// or 256.</summary>
    public bool FitsSearch4(Code4 code, ElementType type, int blocksize, bool nested, ColumnImportance importance) =>
        SearchOperation.Fits(_bench, SearchForm.Blocks4(code, nested), type, blocksize, importance.Columns.Length);

    /// <inheritdoc cref="SearchGroups4.Run"/>
    /// <exception cref="GpuException">The device failed, or not <see cref="FitsSearchRows"/>.</exception>
    public bool SearchInt4Groups(
        ElementType type,
        ElementType scaleType,
        int groupSize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<byte> scales,
        Span<byte> packed)
    {
        if (!QuantizeGroups4.IsGroupSize(groupSize))
        {
            throw new ArgumentOutOfRangeException(nameof(groupSize), groupSize, "must be 32, 64 or 128");
        }

        if (source.Length % (groupSize * type.Size()) != 0)
        {
            throw new ArgumentException($"{source.Length} bytes are not whole groups of {groupSize} {type}", nameof(source));
        }

        return Search(SearchForm.Groups4(scaleType), type, groupSize, source, importance, scales, [], packed);
    }

    /// <inheritdoc cref="SearchRows8.Run"/>
    /// <exception cref="GpuException">The device failed, or not <see cref="FitsSearchRows"/>.</exception>
    public bool SearchInt8Rows(
        ElementType type, int columns, ReadOnlySpan<byte> source, ColumnImportance importance, Span<float> scb, Span<sbyte> codes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        BlockGrid.CheckLength(nameof(source), (long)columns * scb.Length * type.Size(), source.Length);
        return Search(
            SearchForm.Rows8(), type, columns, source, importance, MemoryMarshal.AsBytes(scb), [], MemoryMarshal.AsBytes(codes));
    }

    /// <summary>Whether <see cref="SearchInt8Rows"/> can be asked for rows, and <see cref="SearchInt4Groups"/> for groups, of so many
    /// values: float64, and memory for one.</summary>
    public bool FitsSearchRows(ElementType type, int columns, ColumnImportance importance) =>
        SearchOperation.Fits(_bench, SearchForm.Rows8(), type, columns, importance.Columns.Length);

    private bool Search(
        SearchForm form,
        ElementType type,
        int blocksize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<byte> scales,
        Span<byte> nested,
        Span<byte> codes)
    {
        var operation = new SearchOperation(form, type, blocksize, source, importance, scales, nested, codes);
        Run(ref operation);
        return operation.AllFinite;
    }
}
