using System.Runtime.InteropServices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Quant.Codes;
using Bnb.Quant.Nested;
using Bnb.Quant.Search;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// Quantizes a tensor to nf4 or fp4. Codes are written as they come; with double quantization absmax waits until all of it, and so its
/// mean, is known.
/// </summary>
internal sealed class Blockwise4Run(TensorPlan plan, Blockwise4Quantization quantization, ShardRun shard, PipelineContext context)
    : TensorRun(plan, shard, context, quantization.ValueCount, context.Budget.ChunkValues)
{
    private readonly Blockwise4Recipe _recipe = quantization.Recipe;
    private readonly Lazy<AbsmaxMean> _mean = new();
    private readonly bool _searches = quantization.Scale == ScaleRule.Search;
    private AbsmaxStore? _absmax;
    private float? _offset;

    public override void Dispose()
    {
        _absmax?.Dispose();
        _absmax = null;
        base.Dispose();
    }

    protected override void Begin()
    {
        // A dry run needs the mean only.
        if (_recipe.DoubleQuant && !_searches && Context.Writes && quantization.ValueCount > Context.Budget.ChunkValues)
        {
            _absmax = AbsmaxStore.Create(quantization.BlockCount, Context.Budget, Context.ScratchPath);
        }

        if (quantization.Transpose) Preload();
    }

    protected override void ProcessChunk(long chunk, WorkerBuffers buffers)
    {
        long first = chunk * Context.Budget.ChunkValues;
        int count = (int)Math.Min(Context.Budget.ChunkValues, quantization.ValueCount - first);
        long firstBlock = first / _recipe.Blocksize;

        ReadOnlySpan<byte> values = Context.Source.ReadValues(Plan, first, count, buffers, Preloaded);
        if (_recipe.DoubleQuant && !_searches && Context.Writes && count == quantization.ValueCount)
        {
            ProcessWhole(values, buffers);
            return;
        }

        Span<byte> packed = buffers.Codes.AsSpan(0, (count + 1) / 2);
        if (_searches)
        {
            Search(first, count, values, packed, buffers);
            Context.Progress.Add((long)count * (quantization.SourceType.BitSize() / 8));
            return;
        }

        Span<float> absmax = buffers.Scales.AsSpan(0, (int)DivideUp(count, _recipe.Blocksize));
        bool finite = Context.Engine.Quantize4(_recipe.Code, quantization.ElementType, _recipe.Blocksize, values, absmax, packed);
        if (!finite && !Context.KeepNonFinite) throw NonFiniteScan.Error(Plan, Context.Source, buffers, quantization.ElementType);

        Write(OutputRole.Codes, first / 2, packed);
        if (_recipe.DoubleQuant)
        {
            _mean.Value.Add(absmax);
            _absmax?.Write(firstBlock, absmax);
        }
        else
        {
            Write(OutputRole.Scale, firstBlock * sizeof(float), MemoryMarshal.AsBytes(absmax));
        }

        Context.Progress.Add((long)count * (quantization.SourceType.BitSize() / 8));
    }

    /// <summary>A tensor of one chunk: absmax never leave the device. What depends on the mean is checked when it is
    /// finished, as for others.</summary>
    private void ProcessWhole(ReadOnlySpan<byte> values, WorkerBuffers buffers)
    {
        Span<byte> packed = buffers.Codes.AsSpan(0, (int)((quantization.ValueCount + 1) / 2));
        const int MostOnStack = 1024;
        Span<byte> codes = quantization.BlockCount <= MostOnStack ? stackalloc byte[(int)quantization.BlockCount] : new byte[quantization.BlockCount];
        Span<float> nested = quantization.NestedBlockCount <= MostOnStack ? stackalloc float[(int)quantization.NestedBlockCount] : new float[quantization.NestedBlockCount];
        bool finite = Context.Engine.QuantizeNested4(
            _recipe.Code, quantization.ElementType, _recipe.Blocksize, values, packed, codes, nested, out float offset);
        if (!finite && !Context.KeepNonFinite) throw NonFiniteScan.Error(Plan, Context.Source, buffers, quantization.ElementType);
        _offset = offset;
        Write(OutputRole.Codes, 0, packed);
        Write(OutputRole.Scale, 0, codes);
        Write(OutputRole.NestedAbsmax, 0, MemoryMarshal.AsBytes(nested));
        Context.Progress.Add(quantization.ValueCount * (quantization.SourceType.BitSize() / 8));
    }

    /// <summary>Nested absmax, maps, the quant_state blob.</summary>
    protected override void FinishTensor(WorkerBuffers buffers)
    {
        float? offset = null;
        if (_searches && _recipe.DoubleQuant)
        {
            offset = 0f;
            WriteFloats(OutputRole.NestedQuantMap, DynamicCode8.Values);
        }
        else if (_recipe.DoubleQuant)
        {
            offset = _offset ?? _mean.Value.Value;
            // Only reached with --non-finite keep. No reader takes such an offset: every weight would decode to NaN.
            if (!float.IsFinite(offset.Value)) throw NonFiniteScan.OffsetError(Plan);
            if (Context.Writes && _offset is null) QuantizeAbsmax(offset.Value, buffers);
            WriteFloats(OutputRole.NestedQuantMap, DynamicCode8.Values);
        }

        WriteFloats(OutputRole.QuantMap, _recipe.Code.Values.Span);
        Shard.SetState(Plan, quantization.State(offset).ToUtf8());
    }

    /// <summary>A chunk with searched scales: whole nested blocks, so that nothing has to wait for the rest of the
    /// tensor.</summary>
    private void Search(long first, int count, ReadOnlySpan<byte> values, Span<byte> packed, WorkerBuffers buffers)
    {
        int blocks = (int)DivideUp(count, _recipe.Blocksize);
        long firstBlock = first / _recipe.Blocksize;
        var importance = new ColumnImportance(quantization.Importance, first);
        Span<float> absmax = buffers.Scales.AsSpan(0, _recipe.DoubleQuant ? (int)DivideUp(blocks, NestedAbsmax.Blocksize) : blocks);
        Span<byte> nestedCodes = _recipe.DoubleQuant ? new byte[blocks] : [];
        bool finite = _recipe.DoubleQuant
            ? Context.Engine.SearchNested4(
                _recipe.Code, quantization.ElementType, _recipe.Blocksize, values, importance, nestedCodes, absmax, packed)
            : Context.Engine.Search4(_recipe.Code, quantization.ElementType, _recipe.Blocksize, values, importance, absmax, packed);
        if (!finite) throw NonFiniteScan.Error(Plan, Context.Source, buffers, quantization.ElementType);

        Write(OutputRole.Codes, first / 2, packed);
        if (_recipe.DoubleQuant) Write(OutputRole.Scale, firstBlock, nestedCodes);
        Write(
            _recipe.DoubleQuant ? OutputRole.NestedAbsmax : OutputRole.Scale,
            (_recipe.DoubleQuant ? firstBlock / NestedAbsmax.Blocksize : firstBlock) * sizeof(float),
            MemoryMarshal.AsBytes(absmax));
    }

    /// <summary>Second level of double quantization, piecewise: reads absmax back, writes 8-bit codes and nested absmax.</summary>
    private void QuantizeAbsmax(float offset, WorkerBuffers buffers)
    {
        int nestedPerPiece = Math.Max(1, buffers.Scales.Length / Blockwise4Quantization.NestedBlocksize);
        int piece = nestedPerPiece * Blockwise4Quantization.NestedBlocksize;
        Span<float> nestedAbsmax = new float[nestedPerPiece];
        for (long first = 0; first < quantization.BlockCount; first += piece)
        {
            int count = (int)Math.Min(piece, quantization.BlockCount - first);
            Span<float> absmax = buffers.Scales.AsSpan(0, count);
            Span<byte> codes = buffers.Codes.AsSpan(0, count);
            Span<float> nested = nestedAbsmax[..(int)DivideUp(count, Blockwise4Quantization.NestedBlocksize)];
            _absmax!.Read(first, absmax);
            Context.Engine.QuantizeAbsmax(absmax, offset, codes, nested);
            Write(OutputRole.Scale, first, codes);
            Write(
                OutputRole.NestedAbsmax, first / Blockwise4Quantization.NestedBlocksize * sizeof(float), MemoryMarshal.AsBytes(nested));
        }
    }

    private void WriteFloats(OutputRole role, ReadOnlySpan<float> values) =>
        Write(role, 0, MemoryMarshal.AsBytes(values));
}
