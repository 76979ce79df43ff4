using Bnb.Quant;

namespace Bnb.Tool.Pipeline;

/// <summary>Decodes a 4-bit weight into a dense one, chunk by chunk: value = table[code] * absmax, rounded to the output type.</summary>
internal sealed class DequantizeTensorRun(TensorPlan plan, Dequantization packed, ShardRun shard, PipelineContext context)
    : TensorRun(plan, shard, context, packed.Weight.ValueCount, context.Budget.ChunkValues)
{
    private readonly Code4 _code = Code4Catalog.ByName(packed.Weight.State.QuantType);
    private PackedReader? _reader;

    protected override void Begin() => _reader = new PackedReader(packed.Weight, Context.Source);

    protected override void ProcessChunk(long chunk, WorkerBuffers buffers)
    {
        int blocksize = packed.Weight.State.Blocksize, size = packed.Type.Size();
        long first = chunk * Context.Budget.ChunkValues;
        int count = (int)Math.Min(Context.Budget.ChunkValues, packed.Weight.ValueCount - first);
        Span<byte> codes = buffers.Packed.AsSpan(0, (count + 1) / 2);
        Span<float> absmax = buffers.Absmax.AsSpan(0, (int)DivideUp(count, blocksize));
        _reader!.ReadCodes(first, codes);
        // The output buffer is free until the values are decoded into it, and larger than the nested codes.
        _reader.ReadAbsmax(first / blocksize, absmax, buffers.Raw);

        Span<byte> values = buffers.Raw.AsSpan(0, count * size);
        Dequantize4.Run(_code, blocksize, packed.Type, codes, absmax, values, Context.KernelPath);
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

        Context.Progress.Add(codes.Length + (long)absmax.Length);
    }
}
