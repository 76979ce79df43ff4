using Bnb.Engine.Plans;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Work;

/// <summary>Moves a tensor byte for byte, looking for NaN and Inf on the way.</summary>
internal sealed class CopyTensorRun(TensorPlan plan, ShardRun shard, PipelineContext context)
    : TensorRun(plan, shard, context, plan.Source.ByteCount, context.Budget.RawBytes)
{
    protected override void ProcessChunk(long chunk, WorkerBuffers buffers)
    {
        long offset = chunk * Context.Budget.RawBytes;
        int length = (int)Math.Min(Context.Budget.RawBytes, Plan.Source.ByteCount - offset);
        Span<byte> bytes = buffers.Raw.AsSpan(0, length);
        Context.Source.ReadBytes(Plan.Source, offset, bytes, buffers);
        if (FloatTypes.Of(Plan.Source.DType) is { } type && NonFinite.Any(type, bytes)) CopiedNonFinite = true;
        Write(OutputRole.Copied, offset, bytes);
        Context.Progress.Add(length);
    }
}
