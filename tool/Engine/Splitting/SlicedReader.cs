using System.Buffers;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Splitting;

/// <summary>
/// Reads a matrix out of a stack: only its own bytes, never the stack. One that lies the other way round is held while it is read,
/// where memory is lent for it, since its rows are scattered over all of it.
/// </summary>
internal sealed class SlicedReader(SlicedInput input, TensorSource source) : ValueReader
{
    private const int ScratchBytes = 1 << 16;

    private readonly CheckpointTensor _stored = input.Stack.Source;
    private readonly int _size = input.DType.BitSize() / 8;
    private byte[]? _held;

    // Of a matrix that lies the other way round.
    private long Rows => input.Shape[0];

    private long Columns => input.Shape[1];

    public override void Begin(Func<long, bool> lend)
    {
        if (input.Stack.Input is { } inner)
        {
            source.ReaderOf(inner).Begin(lend);
            return;
        }

        long bytes = input.Shape.ElementCount * _size;
        if (input.ColumnStride == 0 || bytes > Array.MaxLength || !lend(bytes)) return;
        byte[] held = GC.AllocateUninitializedArray<byte>((int)bytes);
        int column = (int)(Rows * _size);
        for (int i = 0; i < Columns; i++) ReadStored(i * Rows * _size, held.AsSpan(i * column, column));
        _held = held;
    }

    public override void End(Action<long> giveBack)
    {
        if (input.Stack.Input is { } inner) source.Close(inner, giveBack);
        if (_held is null) return;
        giveBack(_held.Length);
        _held = null;
    }

    public override ReadOnlySpan<byte> Read(long first, int count, WorkerBuffers buffers)
    {
        if (input.Stack.Input is { } inner) return source.ReaderOf(inner).Read(input.First + first, count, buffers);
        Span<byte> values = buffers.Raw.AsSpan(0, count * _size);
        if (input.ColumnStride == 0)
        {
            source.ReadBytes(_stored, (input.First + first) * _size, values);
        }
        else if (_held is { } held)
        {
            Conv1D.Gather(held, Rows, Columns, _size, first, values);
        }
        else
        {
            byte[] scratch = ArrayPool<byte>.Shared.Rent(ScratchBytes);
            Conv1D.Gather(ReadStored, scratch, Rows, Columns, _size, first, values);
            ArrayPool<byte>.Shared.Return(scratch);
        }

        return values;
    }

    /// <summary>Reads as if the matrix were a tensor [columns, rows] of its own; not beyond the end of one of its stored rows.</summary>
    private void ReadStored(long offset, Span<byte> bytes)
    {
        (long column, long row) = Math.DivRem(offset / _size, Rows);
        source.ReadBytes(_stored, (input.First + (column * input.ColumnStride) + row) * _size, bytes);
    }
}
