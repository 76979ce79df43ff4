using System.Runtime.InteropServices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// Quantizes a tensor to INT4 in stripes of 8 rows, because one int32 of weight_zero_point holds those of 8 rows. Where a
/// stripe is longer than a unit of work it is done in pieces of whole groups.
/// </summary>
internal sealed class Int4Run(TensorPlan plan, Int4Quantization quantization, ShardRun shard, PipelineContext context)
    : TensorRun(plan, shard, context, Stripes(quantization.Rows), StripesPerChunk(quantization, context.Budget))
{
    private const int StripeRows = Int4Quantization.PerWord;

    private readonly int _groupSize = quantization.Recipe.GroupSize;
    private readonly ElementType _type = quantization.ElementType;

    protected override void ProcessChunk(long chunk, WorkerBuffers buffers)
    {
        int most = StripesPerChunk(quantization, Context.Budget) * StripeRows;
        long firstRow = chunk * most;
        int rows = (int)Math.Min(most, quantization.Rows - firstRow);
        // Both are powers of two but for the columns, so a piece is whole groups; all of a row where it fits.
        long pieceColumns = Math.Min(quantization.Columns, Context.Budget.ChunkValues / StripeRows);
        if (pieceColumns == quantization.Columns)
        {
            Quantize(firstRow, 0, rows * quantization.Groups, buffers);
            WriteZeroPoints(firstRow, rows, 0, (int)quantization.Groups, buffers);
        }
        else
        {
            for (long column = 0; column < quantization.Columns; column += pieceColumns)
            {
                int groups = (int)(Math.Min(pieceColumns, quantization.Columns - column) / _groupSize);
                for (int row = 0; row < rows; row++) Quantize(firstRow + row, column / _groupSize, groups, buffers, row * groups);
                WriteZeroPoints(firstRow, rows, column / _groupSize, groups, buffers);
            }
        }

        Context.Progress.Add(rows * quantization.Columns * (quantization.SourceType.BitSize() / 8));
    }

    protected override void FinishTensor(WorkerBuffers buffers)
    {
        Span<long> shape = [quantization.Rows, quantization.Columns];
        Write(OutputRole.WeightShape, 0, MemoryMarshal.AsBytes(shape));
    }

    private static long Stripes(long rows) => (rows + StripeRows - 1) / StripeRows;

    private static int StripesPerChunk(Int4Quantization quantization, MemoryBudget budget) =>
        (int)Math.Max(1, budget.ChunkValues / StripeRows / quantization.Columns);

    /// <summary>Neighbouring groups, from group <paramref name="firstGroup"/> of a row on.</summary>
    /// <param name="zeroPointAt">Where in the buffer their zero points go.</param>
    private void Quantize(long row, long firstGroup, long groups, WorkerBuffers buffers, int zeroPointAt = 0)
    {
        long first = (row * quantization.Columns) + (firstGroup * _groupSize);
        int count = (int)groups * _groupSize;
        ReadOnlySpan<byte> values = Context.Source.ReadValues(Plan, first, count, buffers, preloaded: null);
        Span<byte> scales = MemoryMarshal.AsBytes(buffers.Scales.AsSpan())[..((int)groups * quantization.ScaleSize)];
        Span<sbyte> zeroPoints = quantization.Recipe.Symmetric ? [] : buffers.ZeroPoints.AsSpan(zeroPointAt, (int)groups);
        Span<byte> packed = buffers.Codes.AsSpan(0, count / 2);
        bool searches = quantization.Scale == ScaleRule.Search;
        bool finite = searches
            ? Context.Engine.SearchInt4Groups(
                _type, quantization.ScaleType, _groupSize, values, new ColumnImportance(quantization.Importance, first), scales, packed)
            : Context.Engine.QuantizeInt4Groups(_type, _groupSize, quantization.Recipe.Symmetric, values, scales, zeroPoints, packed);
        if (!finite && !Context.KeepNonFinite) throw NonFiniteScan.Error(Plan, Context.Source, buffers, _type);
        // The difference of two finite float16 values need not be one: such a group would decode to NaN.
        if (finite && !Context.KeepNonFinite && NonFinite.Any(quantization.ScaleType, scales)) throw NonFiniteScan.ScaleError(Plan, row);
        Write(OutputRole.Codes, first / 2, packed);
        Write(OutputRole.Scale, first / _groupSize * quantization.ScaleSize, scales);
    }

    private void WriteZeroPoints(long firstRow, int rows, long firstGroup, int groups, WorkerBuffers buffers)
    {
        if (quantization.Recipe.Symmetric) return;
        Span<int> words = MemoryMarshal.Cast<byte, int>(buffers.Codes.AsSpan())[..groups];
        for (int row = 0; row < rows; row += StripeRows)
        {
            int stripe = Math.Min(StripeRows, rows - row);
            ZeroPoints4.Pack(stripe, groups, buffers.ZeroPoints.AsSpan(row * groups, stripe * groups), words);
            long at = ((firstRow + row) / StripeRows * quantization.Groups) + firstGroup;
            Write(OutputRole.ZeroPoint, at * sizeof(int), MemoryMarshal.AsBytes(words));
        }
    }
}
