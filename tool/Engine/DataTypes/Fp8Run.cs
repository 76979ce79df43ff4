using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Quant.Fp8;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// Quantizes a tensor to FP8, a few whole rows at a time. A row longer than a unit of work is read twice: once for its largest
/// magnitude, once for its codes.
/// </summary>
internal sealed class Fp8Run(TensorPlan plan, Fp8Quantization quantization, ShardRun shard, PipelineContext context)
    : TensorRun(plan, shard, context, quantization.Rows, RowsPerChunk(quantization, context.Budget))
{
    private readonly ElementType _type = quantization.ElementType;

    protected override void ProcessChunk(long chunk, WorkerBuffers buffers)
    {
        int most = RowsPerChunk(quantization, Context.Budget);
        long firstRow = chunk * most;
        int rows = (int)Math.Min(most, quantization.Rows - firstRow);
        if (quantization.Columns <= Context.Budget.ChunkValues) QuantizeRows(firstRow, rows, buffers);
        else QuantizeLongRow(firstRow, buffers);
        Context.Progress.Add(rows * quantization.Columns * (quantization.SourceType.BitSize() / 8));
    }

    private static int RowsPerChunk(Fp8Quantization quantization, MemoryBudget budget) =>
        (int)Math.Max(1, budget.ChunkValues / Math.Max(1, quantization.Columns));

    private void QuantizeRows(long firstRow, int rows, WorkerBuffers buffers)
    {
        int columns = (int)quantization.Columns, count = rows * columns, size = _type.Size();
        ReadOnlySpan<byte> values = Context.Source.ReadValues(Plan, firstRow * columns, count, buffers, preloaded: null);
        Span<byte> codes = buffers.Codes.AsSpan(0, count);
        Span<byte> scales = new byte[rows * size];
        bool finite = true;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<byte> piece = values.Slice(row * columns * size, columns * size);
            float absmax = 0f;
            finite &= QuantizeFp8Rows.RowAbsmax(_type, piece, ref absmax);
            float scale = QuantizeFp8Rows.Scale(_type, absmax, scales.Slice(row * size, size));
            QuantizeFp8Rows.Encode(_type, piece, scale, codes.Slice(row * columns, columns), Context.Engine.Path);
        }

        if (!finite) ThrowUnlessKept(buffers);
        Write(OutputRole.Codes, firstRow * columns, codes);
        Write(OutputRole.Scale, firstRow * size, scales);
    }

    private void QuantizeLongRow(long row, WorkerBuffers buffers)
    {
        long start = row * quantization.Columns;
        float absmax = 0f;
        bool finite = true;
        for (long column = 0; column < quantization.Columns; column += Context.Budget.ChunkValues)
            finite &= QuantizeFp8Rows.RowAbsmax(_type, Piece(start, column, buffers), ref absmax);

        if (!finite) ThrowUnlessKept(buffers);
        Span<byte> scale = stackalloc byte[_type.Size()];
        float value = QuantizeFp8Rows.Scale(_type, absmax, scale);
        Write(OutputRole.Scale, row * _type.Size(), scale);
        for (long column = 0; column < quantization.Columns; column += Context.Budget.ChunkValues)
        {
            ReadOnlySpan<byte> piece = Piece(start, column, buffers);
            Span<byte> codes = buffers.Codes.AsSpan(0, piece.Length / _type.Size());
            QuantizeFp8Rows.Encode(_type, piece, value, codes, Context.Engine.Path);
            Write(OutputRole.Codes, start + column, codes);
        }
    }

    private ReadOnlySpan<byte> Piece(long start, long column, WorkerBuffers buffers) => Context.Source.ReadValues(
        Plan, start + column, (int)Math.Min(Context.Budget.ChunkValues, quantization.Columns - column), buffers, preloaded: null);

    private void ThrowUnlessKept(WorkerBuffers buffers)
    {
        if (!Context.KeepNonFinite) throw NonFiniteScan.Error(Plan, Context.Source, buffers, _type);
    }
}
