using System.Buffers;
using System.Runtime.InteropServices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.PackedWords;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.PackedWords;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// GPTQ and AWQ: value = (code - zero point) * scale. They are stored by input features, the dense weight by output features,
/// so a range takes a little of every stored row: from memory where the codes fit in what is lent, else by short reads.
/// </summary>
internal sealed class PackedWordDecoder : WeightDecoder
{
    private readonly PackedWordWeight _weight;
    private readonly TensorSource _source;
    private readonly KernelPath _path;
    private readonly HeldTensor _words;
    private readonly ElementType _scaleType;
    private readonly int[]? _groupOf;

    public PackedWordDecoder(PackedWordWeight weight, TensorSource source, KernelPath path)
    {
        (_weight, _source, _path) = (weight, source, path);
        _words = new HeldTensor(weight.Words, source);
        _scaleType = FloatTypes.Of(weight.Scales.DType) ?? ElementType.F32;
        if (weight is GptqWeight { GroupIndex: { } index }) _groupOf = ReadIndex(index);
    }

    public override void Hold(Func<long, bool> lend) => _words.Hold(lend);

    public override void Release(Action<long> giveBack) => _words.Release(giveBack);

    public override void Load(long first, int count, WorkerBuffers buffers)
    {
        if (count == 0) return;
        Span<byte> codes = buffers.Codes.AsSpan(0, count);
        long firstRow = first / _weight.Columns, lastRow = (first + count - 1) / _weight.Columns;
        // One row alone: of no use are the columns outside of the range.
        (long from, long to) = firstRow == lastRow
            ? (first % _weight.Columns, ((first + count - 1) % _weight.Columns) + 1)
            : (0, _weight.Columns);
        int rows = (int)(lastRow - firstRow + 1);
        byte[] scratch = ArrayPool<byte>.Shared.Rent((rows + 16) * sizeof(int));
        if (_weight is AwqWeight) LoadAwq(first, firstRow, rows, from, to, codes, scratch);
        else LoadGptq(first, firstRow, rows, from, to, codes, scratch);
        ArrayPool<byte>.Shared.Return(scratch);
    }

    public override void Decode(long first, int count, ElementType type, Span<byte> destination, WorkerBuffers buffers)
    {
        if (count == 0) return;
        long columns = _weight.Columns, firstRow = first / columns;
        int rows = (int)(((first + count - 1) / columns) - firstRow + 1), groups = (int)_weight.GroupCount, size = type.Size();
        float[] scales = ArrayPool<float>.Shared.Rent(rows * groups), zeros = ArrayPool<float>.Shared.Rent(rows * groups);
        ReadGroups(firstRow, rows, scales, zeros);
        for (int done = 0; done < count;)
        {
            long row = (first + done) / columns, column = (first + done) % columns;
            int length = (int)Math.Min(count - done, columns - column), at = (int)(row - firstRow) * groups;
            ReadOnlySpan<byte> codes = buffers.Codes.AsSpan(done, length);
            Span<byte> place = destination.Slice(done * size, length * size);
            if (_groupOf is { } groupOf)
            {
                DecodeGathered.Row(codes, groupOf.AsSpan((int)column, length), scales.AsSpan(at, groups), zeros.AsSpan(at, groups), type, place);
            }
            else
            {
                int group = (int)(column / _weight.GroupSize), some = (int)((column + length - 1) / _weight.GroupSize) - group + 1;
                DecodeCodes.Row(
                    ScaledCode.Unsigned, codes, scales.AsSpan(at + group, some), zeros.AsSpan(at + group, some),
                    (int)(column % _weight.GroupSize), (int)Math.Min(_weight.GroupSize, int.MaxValue), ElementType.F32, type, place, _path);
            }

            done += length;
        }

        ArrayPool<float>.Shared.Return(scales);
        ArrayPool<float>.Shared.Return(zeros);
    }

    private void LoadGptq(long first, long firstRow, int rows, long from, long to, Span<byte> codes, byte[] scratch)
    {
        int each = _weight.PerWord;
        for (long word = from / each; word < (to + each - 1) / each; word++)
        {
            ReadOnlySpan<byte> bytes = _words.Read(((word * _weight.Rows) + firstRow) * sizeof(int), rows * sizeof(int), scratch);
            long position = (firstRow * _weight.Columns) + (word * each) - first;
            GptqWords.Spread(_weight.Bits, MemoryMarshal.Cast<byte, int>(bytes), codes, position, _weight.Columns);
        }
    }

    private void LoadAwq(long first, long firstRow, int rows, long from, long to, Span<byte> codes, byte[] scratch)
    {
        long perRow = _weight.Words.Shape[1], word = firstRow / AwqWords.PerWord;
        int words = (int)(((firstRow + rows - 1) / AwqWords.PerWord) - word + 1);
        for (long column = from; column < to; column++)
        {
            ReadOnlySpan<byte> bytes = _words.Read(((column * perRow) + word) * sizeof(int), words * sizeof(int), scratch);
            long position = (firstRow * _weight.Columns) + column - first;
            AwqWords.Spread(
                MemoryMarshal.Cast<byte, int>(bytes), (int)(firstRow % AwqWords.PerWord), rows, codes, position, _weight.Columns);
        }
    }

    /// <summary>Scales and zero points of some rows, row by row.</summary>
    private void ReadGroups(long firstRow, int rows, float[] scales, float[] zeros)
    {
        int groups = (int)_weight.GroupCount, each = _weight.PerWord, size = _scaleType.Size();
        long firstWord = firstRow / each, perRow = _weight.ZeroWords.Shape[1];
        int words = (int)(((firstRow + rows - 1) / each) - firstWord + 1), lead = (int)(firstRow % each);
        byte[] stored = ArrayPool<byte>.Shared.Rent(Math.Max(rows * size, words * sizeof(int)));
        float[] own = ArrayPool<float>.Shared.Rent(rows);
        Span<float> one = own.AsSpan(0, rows);
        for (int group = 0; group < groups; group++)
        {
            Span<byte> bytes = stored.AsSpan(0, rows * size);
            _source.ReadBytes(_weight.Scales, ((group * _weight.Rows) + firstRow) * size, bytes);
            Widen.ToSingle(_scaleType, bytes, one);
            for (int row = 0; row < rows; row++) scales[(row * groups) + group] = one[row];

            Span<byte> packed = stored.AsSpan(0, words * sizeof(int));
            _source.ReadBytes(_weight.ZeroWords, ((group * perRow) + firstWord) * sizeof(int), packed);
            ReadOnlySpan<int> zeroWords = MemoryMarshal.Cast<byte, int>(packed);
            if (_weight is GptqWeight gptq) GptqWords.Zeros(gptq.Bits, gptq.StoresZerosLessOne, zeroWords, lead, one);
            else AwqWords.Zeros(zeroWords, lead, one);
            for (int row = 0; row < rows; row++) zeros[(row * groups) + group] = one[row];
        }

        ArrayPool<byte>.Shared.Return(stored);
        ArrayPool<float>.Shared.Return(own);
    }

    /// <summary>The group of each column, null when neighbours share one all along.</summary>
    private int[]? ReadIndex(CheckpointTensor index)
    {
        if (index.ByteCount > Array.MaxLength) throw Malformed(index, $"has {index.Shape.ElementCount} entries");
        var groupOf = new int[index.Shape.ElementCount];
        _source.ReadBytes(index, 0, MemoryMarshal.AsBytes(groupOf.AsSpan()));
        bool isPlain = true;
        for (int column = 0; column < groupOf.Length; column++)
        {
            if (groupOf[column] < 0 || groupOf[column] >= _weight.GroupCount)
                throw Malformed(index, $"puts column {column} in group {groupOf[column]} of {_weight.GroupCount}");
            isPlain &= groupOf[column] == column / _weight.GroupSize;
        }

        return isPlain ? null : groupOf;
    }

    private static CheckpointFormatException Malformed(CheckpointTensor index, string found) => new(
        FormatError.SourceLayout,
        $"{DisplayText.Escape(index.Name)} {found}",
        index.File.Path,
        index.Name,
        action: "download this file again");
}
