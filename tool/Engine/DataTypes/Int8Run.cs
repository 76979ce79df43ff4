using System.Runtime.InteropServices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.Quant.Search;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// Quantizes a tensor to LLM.int8(), a few whole rows at a time. A row longer than a unit of work is read twice: once for its
/// absmax, once for its codes.
/// </summary>
internal sealed class Int8Run(TensorPlan plan, Int8Quantization quantization, ShardRun shard, PipelineContext context)
    : TensorRun(plan, shard, context, quantization.Rows, RowsPerChunk(quantization, context.Budget))
{
    // The layout that bitsandbytes calls "row", the only one it writes.
    private static readonly byte[] RowFormat = [0];

    protected override void Begin()
    {
        if (quantization.Transpose) Preload();
    }

    protected override void ProcessChunk(long chunk, WorkerBuffers buffers)
    {
        int most = RowsPerChunk(quantization, Context.Budget);
        long firstRow = chunk * most;
        int rows = (int)Math.Min(most, quantization.Rows - firstRow);
        Span<float> absmax = buffers.Scales.AsSpan(0, rows);
        if (quantization.Columns <= Context.Budget.ChunkValues) QuantizeRows(firstRow, rows, absmax, buffers);
        else QuantizeLongRow(firstRow, out absmax[0], buffers);
        Write(OutputRole.Scale, firstRow * sizeof(float), MemoryMarshal.AsBytes(absmax));
        Context.Progress.Add(rows * quantization.Columns * (quantization.SourceType.BitSize() / 8));
    }

    protected override void FinishTensor(WorkerBuffers buffers) => Write(OutputRole.WeightFormat, 0, RowFormat);

    private static int RowsPerChunk(Int8Quantization quantization, MemoryBudget budget) =>
        (int)Math.Max(1, budget.ChunkValues / quantization.Columns);

    private void QuantizeRows(long firstRow, int rows, Span<float> absmax, WorkerBuffers buffers)
    {
        int columns = (int)quantization.Columns, count = rows * columns;
        ReadOnlySpan<byte> values = Context.Source.ReadValues(Plan, firstRow * columns, count, buffers, Preloaded);
        Span<sbyte> codes = MemoryMarshal.Cast<byte, sbyte>(buffers.Codes.AsSpan(0, count));
        bool finite = quantization.Scale == ScaleRule.Search
            ? Context.Engine.SearchInt8Rows(
                quantization.ElementType, columns, values, new ColumnImportance(quantization.Importance, firstRow * columns), absmax, codes)
            : Context.Engine.QuantizeInt8Rows(quantization.ElementType, columns, values, absmax, codes);
        if (!finite) ThrowUnlessKept(buffers);
        Write(OutputRole.Codes, firstRow * columns, MemoryMarshal.AsBytes(codes));
    }

    private void QuantizeLongRow(long row, out float absmax, WorkerBuffers buffers)
    {
        long start = row * quantization.Columns;
        absmax = 0f;
        bool finite = true;
        for (long column = 0; column < quantization.Columns; column += Context.Budget.ChunkValues)
            finite &= QuantizeRows8.RowAbsmax(quantization.ElementType, Piece(start, column, buffers), ref absmax, Context.Engine.Path);

        if (!finite) ThrowUnlessKept(buffers);
        for (long column = 0; column < quantization.Columns; column += Context.Budget.ChunkValues)
        {
            ReadOnlySpan<byte> piece = Piece(start, column, buffers);
            Span<sbyte> codes = MemoryMarshal.Cast<byte, sbyte>(buffers.Codes.AsSpan(0, piece.Length / quantization.ElementType.Size()));
            QuantizeRows8.Encode(quantization.ElementType, piece, absmax, codes, Context.Engine.Path);
            Write(OutputRole.Codes, start + column, MemoryMarshal.AsBytes(codes));
        }
    }

    private ReadOnlySpan<byte> Piece(long start, long column, WorkerBuffers buffers) => Context.Source.ReadValues(
        Plan, start + column, (int)Math.Min(Context.Budget.ChunkValues, quantization.Columns - column), buffers, Preloaded);

    private void ThrowUnlessKept(WorkerBuffers buffers)
    {
        if (!Context.KeepNonFinite) throw NonFiniteScan.Error(Plan, Context.Source, buffers, ElementType.F16);
    }
}
