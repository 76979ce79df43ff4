using Bnb.Engine.Plans;
using Bnb.Formats.Primitives;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Work;

/// <summary>Writes the values of an input as they are, for a tensor that is merged and not quantized.</summary>
internal sealed class InputTensorRun(TensorPlan plan, WeightInput input, ShardRun shard, PipelineContext context)
    : TensorRun(plan, shard, context, input.Shape.ElementCount, context.Budget.ChunkValues)
{
    protected override void ProcessChunk(long chunk, WorkerBuffers buffers)
    {
        long first = chunk * Context.Budget.ChunkValues, all = input.Shape.ElementCount;
        int count = (int)Math.Min(Context.Budget.ChunkValues, all - first);
        ReadOnlySpan<byte> values = Context.Source.ReaderOf(input).Read(first, count, buffers);
        if (FloatTypes.Of(input.DType) is { } type && NonFinite.Any(type, values))
        {
            if (!Context.KeepNonFinite && CastRange.Overflow(Plan, Context.Source) is { } overflow) throw overflow;
            CopiedNonFinite = true;
        }

        Write(OutputRole.Dense, first * (input.DType.BitSize() / 8), values);
        Context.Progress.Add((long)(Plan.SourceBytes * ((double)count / Math.Max(1, all))));
    }
}
