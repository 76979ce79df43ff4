using Bnb.Engine.Plans;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.Work;

/// <summary>Decodes a quantized weight into a dense one, chunk by chunk.</summary>
/// <param name="newDecoder">Called when the work begins, since a decoder may read small tensors at once.</param>
internal sealed class DequantizeTensorRun(
    TensorPlan plan, Dequantization packed, Func<WeightDecoder> newDecoder, ShardRun shard, PipelineContext context)
    : TensorRun(plan, shard, context, packed.Weight.ValueCount, context.Budget.ChunkValues)
{
    private WeightDecoder? _decoder;

    public override void Dispose()
    {
        _decoder?.Release(Context.Budget.Release);
        base.Dispose();
    }

    protected override void Begin()
    {
        WeightDecoder decoder = newDecoder();
        decoder.Hold(Context.Budget.TryReserve);
        _decoder = decoder;
    }

    protected override void ProcessChunk(long chunk, WorkerBuffers buffers)
    {
        int size = packed.Type.Size();
        long first = chunk * Context.Budget.ChunkValues;
        int count = (int)Math.Min(Context.Budget.ChunkValues, packed.Weight.ValueCount - first);
        _decoder!.Load(first, count, buffers);
        Span<byte> values = buffers.Raw.AsSpan(0, count * size);
        _decoder.Decode(first, count, packed.Type, values, buffers);
        if (packed.TransposedMatrices > 0) Scatter(first, values, size, buffers);
        else Write(OutputRole.Dense, first * size, values);

        Context.Progress.Add((long)(Plan.SourceBytes * ((double)count / packed.Weight.ValueCount)));
    }

    /// <summary>Writes a range the other way round, matrix by matrix.</summary>
    private void Scatter(long first, ReadOnlySpan<byte> values, int size, WorkerBuffers buffers)
    {
        long rows = packed.Weight.Rows / packed.TransposedMatrices, columns = packed.Weight.Columns, matrixValues = rows * columns;
        for (long done = 0; done < values.Length / size;)
        {
            long matrix = (first + done) / matrixValues, at = (first + done) % matrixValues;
            int count = (int)Math.Min((values.Length / size) - done, matrixValues - at);
            Conv1D.Scatter(
                (offset, bytes) => Write(OutputRole.Dense, (matrix * matrixValues * size) + offset, bytes),
                buffers.Gathered, rows, columns, size, at, values.Slice((int)done * size, count * size));
            done += count;
        }
    }
}
