using System.Runtime.InteropServices;
using Bnb.Formats;
using Bnb.Quant;

namespace Bnb.Tool.Pipeline;

/// <summary>
/// The work on one tensor, in chunks that any worker may take. The worker that finishes the last chunk finishes the
/// tensor: only then are all absmax values, and so their mean, known.
/// </summary>
internal sealed class TensorRun(TensorPlan plan, ShardRun shard, PipelineContext context) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly long _chunkCount = ChunkCountOf(plan, context.Budget);
    private long _chunksLeft = ChunkCountOf(plan, context.Budget);
    private bool _begun;
    private AbsmaxStore? _absmax;
    private double[] _absmaxSums = [];
    private byte[]? _preloaded;

    public TensorPlan Plan => plan;

    public ShardRun Shard => shard;

    public long ChunkCount => _chunkCount;

    /// <summary>Number of elements or bytes that were not finite in a copied tensor; reported, never changed.</summary>
    public bool CopiedNonFinite { get; private set; }

    /// <summary>Processes chunk <paramref name="chunk"/>; true when it was the last one to be finished.</summary>
    public bool Process(long chunk, WorkerBuffers buffers)
    {
        if (plan.Quantization is { } quantization) QuantizeChunk(quantization, chunk, buffers);
        else CopyChunk(chunk, buffers);
        return Interlocked.Decrement(ref _chunksLeft) == 0;
    }

    /// <summary>Everything that needs the whole tensor: nested absmax, maps, the quant_state blob.</summary>
    public void Finish(WorkerBuffers buffers)
    {
        if (plan.Quantization is { } quantization)
        {
            float? offset = null;
            if (context.Recipe.DoubleQuant)
            {
                offset = AbsmaxMean.Of(_absmaxSums, quantization.BlockCount);
                // Only reached with --non-finite keep. No reader takes such an offset: every weight would decode to NaN.
                if (!float.IsFinite(offset.Value)) throw NonFiniteScan.OffsetError(plan);
                if (context.Writes) QuantizeAbsmax(quantization, offset.Value, buffers);
                WriteFloats(OutputRole.NestedQuantMap, DynamicCode8.Values);
            }

            WriteFloats(OutputRole.QuantMap, context.Recipe.Code.Values.Span);
            shard.SetState(plan, ShardPlan.QuantState(quantization, context.Recipe, offset).ToUtf8());
        }

        Dispose();
        context.Source.Release(plan.Source.File);
    }

    public void Dispose()
    {
        _absmax?.Dispose();
        _absmax = null;
        if (_preloaded is null) return;
        context.Budget.Release(_preloaded.Length);
        _preloaded = null;
    }

    /// <summary>At least one chunk, so that an empty tensor too is finished by some worker.</summary>
    private static long ChunkCountOf(TensorPlan plan, MemoryBudget budget) => Math.Max(1, plan.Quantization is { } quantization
        ? DivideUp(quantization.ValueCount, budget.ChunkValues)
        : DivideUp(plan.Source.ByteCount, budget.RawBytes));

    private static long DivideUp(long value, long by) => (value + by - 1) / by;

    private void CopyChunk(long chunk, WorkerBuffers buffers)
    {
        long offset = chunk * context.Budget.RawBytes;
        int length = (int)Math.Min(context.Budget.RawBytes, plan.Source.ByteCount - offset);
        Span<byte> bytes = buffers.Raw.AsSpan(0, length);
        context.Source.ReadBytes(plan.Source, offset, bytes);
        if (FloatType(plan.Source.DType) is { } type && NonFinite.Any(type, bytes)) CopiedNonFinite = true;
        shard.Write(plan, OutputRole.Copied, offset, bytes);
        context.Progress.Add(length);
    }

    private void QuantizeChunk(Quantization quantization, long chunk, WorkerBuffers buffers)
    {
        Begin(quantization);
        long first = chunk * context.Budget.ChunkValues;
        int count = (int)Math.Min(context.Budget.ChunkValues, quantization.ValueCount - first);
        int blocks = (count + context.Recipe.Blocksize - 1) / context.Recipe.Blocksize;
        long firstBlock = first / context.Recipe.Blocksize;

        ReadOnlySpan<byte> values = context.Source.ReadValues(plan, first, count, buffers, _preloaded);
        Span<float> absmax = buffers.Absmax.AsSpan(0, blocks);
        Span<byte> packed = buffers.Packed.AsSpan(0, (count + 1) / 2);
        bool finite = Quantize4.Run(
            context.Recipe.Code, quantization.ElementType, context.Recipe.Blocksize, values, absmax, packed, context.KernelPath);
        if (!finite && !context.KeepNonFinite) throw NonFiniteScan.Error(plan, context.Source, buffers);

        shard.Write(plan, OutputRole.Packed, first / 2, packed);
        if (context.Recipe.DoubleQuant)
        {
            AbsmaxMean.BlockSums(absmax, _absmaxSums.AsSpan((int)(firstBlock / Quantization.NestedBlocksize)));
            _absmax?.Write(firstBlock, absmax);
        }
        else
        {
            shard.Write(plan, OutputRole.Absmax, firstBlock * sizeof(float), MemoryMarshal.AsBytes(absmax));
        }

        context.Progress.Add((long)count * (quantization.SourceType.BitSize() / 8));
    }

    /// <summary>What must exist before any chunk: done by the first worker here, the others wait.</summary>
    private void Begin(Quantization quantization)
    {
        if (Volatile.Read(ref _begun)) return;
        lock (_lock)
        {
            if (_begun) return;
            context.Progress.Current = plan.Source.Name;
            if (context.Recipe.DoubleQuant)
            {
                _absmaxSums = new double[quantization.NestedBlockCount];
                // A dry run needs the mean only.
                if (context.Writes) _absmax = AbsmaxStore.Create(quantization.BlockCount, context.Budget, context.ScratchPath);
            }

            long bytes = plan.Source.ByteCount;
            if (quantization.Transpose && bytes <= Array.MaxLength && context.Budget.TryReserve(bytes))
            {
                byte[] stored = GC.AllocateUninitializedArray<byte>((int)bytes);
                _preloaded = stored;
                context.Source.ReadBytes(plan.Source, 0, stored);
            }

            Volatile.Write(ref _begun, true);
        }
    }

    /// <summary>Second level of double quantization, piecewise: reads absmax back, writes 8-bit codes and nested absmax.</summary>
    private void QuantizeAbsmax(Quantization quantization, float offset, WorkerBuffers buffers)
    {
        int nestedPerPiece = Math.Max(1, buffers.Absmax.Length / Quantization.NestedBlocksize);
        int piece = nestedPerPiece * Quantization.NestedBlocksize;
        Span<float> nestedAbsmax = new float[nestedPerPiece];
        for (long first = 0; first < quantization.BlockCount; first += piece)
        {
            int count = (int)Math.Min(piece, quantization.BlockCount - first);
            Span<float> absmax = buffers.Absmax.AsSpan(0, count);
            Span<byte> codes = buffers.Packed.AsSpan(0, count);
            Span<float> nested = nestedAbsmax[..(int)DivideUp(count, Quantization.NestedBlocksize)];
            _absmax!.Read(first, absmax);
            NestedAbsmax.Quantize(absmax, offset, codes, nested, context.KernelPath);
            shard.Write(plan, OutputRole.Absmax, first, codes);
            shard.Write(
                plan, OutputRole.NestedAbsmax, first / Quantization.NestedBlocksize * sizeof(float), MemoryMarshal.AsBytes(nested));
        }
    }

    private void WriteFloats(OutputRole role, ReadOnlySpan<float> values) =>
        shard.Write(plan, role, 0, MemoryMarshal.AsBytes(values));

    private static ElementType? FloatType(DType dtype) => dtype switch
    {
        DType.F16 => ElementType.F16,
        DType.BF16 => ElementType.BF16,
        DType.F32 => ElementType.F32,
        _ => null,
    };
}
