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

    protected override void Begin() => _decoder = newDecoder();

    protected override void ProcessChunk(long chunk, WorkerBuffers buffers)
    {
        int size = packed.Type.Size();
        long first = chunk * Context.Budget.ChunkValues;
        int count = (int)Math.Min(Context.Budget.ChunkValues, packed.Weight.ValueCount - first);
        _decoder!.Load(first, count, buffers);
        Span<byte> values = buffers.Raw.AsSpan(0, count * size);
        _decoder.Decode(first, count, packed.Type, values, buffers);
        if (packed.Transpose)
        {
            Conv1D.Scatter(
                (offset, bytes) => Shard.Write(Plan, OutputRole.Dense, offset, bytes),
                buffers.Gathered, packed.Weight.Rows, packed.Weight.Columns, size, first, values);
        }
        else
        {
            Shard.Write(Plan, OutputRole.Dense, first * size, values);
        }

        Context.Progress.Add((long)(Plan.SourceBytes * ((double)count / packed.Weight.ValueCount)));
    }
}
