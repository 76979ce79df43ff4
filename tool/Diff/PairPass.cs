using System.Runtime.InteropServices;
using Bnb.Formats;
using Bnb.Formats.BitsAndBytes;
using Bnb.Quant;
using Bnb.Tool.Pipeline;

namespace Bnb.Tool.Diff;

/// <summary>What all pairs of one pass share.</summary>
internal sealed record PassContext(TensorSource Source, MemoryBudget Budget, KernelPath KernelPath, PipelineProgress Progress);

/// <summary>One worker's buffers: a set for either side.</summary>
internal sealed record PairBuffers(DenseBuffers A, DenseBuffers B)
{
    public PairBuffers(MemoryBudget budget)
        : this(new DenseBuffers(budget), new DenseBuffers(budget))
    {
    }
}

/// <summary>
/// Goes over the chunks of one pair. The first pass decodes only what is not equal as stored, the second one measures the
/// rest where that is needed.
/// </summary>
internal sealed class PairPass : IDisposable
{
    /// <summary>The work item that compares companions; chunks count from 0.</summary>
    public const long Companions = -1;

    private readonly PairState _state;
    private readonly PassContext _context;
    private readonly bool _isSecond;
    private readonly Lock _lock = new();
    private long _reserved;
    private long _left;
    private DenseReader? _a;
    private DenseReader? _b;

    private PairPass(PairState state, PassContext context, bool isSecond, IReadOnlyList<long> items)
    {
        (_state, _context, _isSecond, Items) = (state, context, isSecond, items);
        _left = items.Count;
    }

    public IReadOnlyList<long> Items { get; }

    private DiffPair Pair => _state.Pair;

    public static PairPass First(PairState state, PassContext context)
    {
        IEnumerable<long> chunks = Enumerable.Range(0, state.ChunkCount).Select(chunk => (long)chunk);
        return new PairPass(state, context, false, PairState.PartsCompare(state.Pair) ? [Companions, .. chunks] : [.. chunks]);
    }

    public static PairPass Second(PairState state, PassContext context) => new(state, context, true, [.. state.Unmeasured()]);

    public void Process(long item, PairBuffers buffers)
    {
        if (item == Companions) CompareCompanions(buffers);
        else if (Pair.Content == PairContent.Elements) CompareElements(item, buffers);
        else CompareValues(item, buffers);
        if (Interlocked.Decrement(ref _left) > 0) return;
        _state.EndPass();
        Dispose();
        foreach (CheckpointTensor part in Pair.A.Parts.Concat(Pair.B.Parts)) _context.Source.Release(part.File);
    }

    /// <summary>Gives back lent memory.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            (_a, _b) = (null, null);
            _context.Budget.Release(_reserved);
            _reserved = 0;
        }
    }

    private void CompareElements(long chunk, PairBuffers buffers)
    {
        (long first, int count) = _state.RangeOf(chunk);
        int size = _state.UnitBytes, length = count * size;
        Span<byte> a = buffers.A.Stored.Raw.AsSpan(0, length), b = buffers.B.Stored.Raw.AsSpan(0, length);
        _context.Source.ReadBytes(Pair.A.Stored, first * size, a);
        _context.Source.ReadBytes(Pair.B.Stored, first * size, b);
        _context.Progress.Add(2L * length);
        if (a.SequenceEqual(b)) return;
        _state.SetBytesDiffer();
        for (int done = 0; done < count; done += PieceStats.Values)
        {
            int piece = Math.Min(PieceStats.Values, count - done);
            _state.PieceAt(first + done).AddElements(
                a.Slice(done * size, piece * size), b.Slice(done * size, piece * size), size, first + done);
        }
    }

    private void CompareValues(long chunk, PairBuffers buffers)
    {
        (long first, int count) = _state.RangeOf(chunk);
        (DenseReader readA, DenseReader readB) = Readers();
        readA.Load(first, count, buffers.A);
        readB.Load(first, count, buffers.B);
        if (!_isSecond)
        {
            _context.Progress.Add(BytesOf(Pair.A, count) + BytesOf(Pair.B, count));
            if (Pair.CodesCompare ? CompareCodes(first, count, buffers) : CompareBytes(count, buffers)) return;
        }

        ReadOnlySpan<float> a = readA.Decode(first, count, buffers.A), b = readB.Decode(first, count, buffers.B);
        for (int done = 0; done < count; done += PieceStats.Values)
        {
            int piece = Math.Min(PieceStats.Values, count - done);
            _state.PieceAt(first + done).AddValues(a.Slice(done, piece), b.Slice(done, piece), first + done);
        }

        _state.SetMeasured(chunk);
    }

    /// <returns>True when no stored byte differs.</returns>
    private bool CompareBytes(int count, PairBuffers buffers)
    {
        if (!Pair.BytesCompare || Pair.A.Stored.DType != Pair.B.Stored.DType) return false;
        int length = count * _state.UnitBytes;
        if (buffers.A.Stored.Raw.AsSpan(0, length).SequenceEqual(buffers.B.Stored.Raw.AsSpan(0, length))) return true;
        _state.SetBytesDiffer();
        return false;
    }

    /// <returns>True when codes and absmax say that no value differs.</returns>
    private bool CompareCodes(long first, int count, PairBuffers buffers)
    {
        int blocksize = Pair.A.Packed!.State.Blocksize;
        ReadOnlySpan<byte> codesA = Codes(buffers.A, count), codesB = Codes(buffers.B, count);
        ReadOnlySpan<float> absmaxA = Absmax(buffers.A, count), absmaxB = Absmax(buffers.B, count);
        bool sameCodes = codesA.SequenceEqual(codesB);
        if (!sameCodes) _state.SetPackedDiffers();
        if (sameCodes && MemoryMarshal.AsBytes(absmaxA).SequenceEqual(MemoryMarshal.AsBytes(absmaxB)))
            return Pair.A.DecodedType == Pair.B.DecodedType;
        for (int done = 0; done < count; done += PieceStats.Values)
        {
            int piece = Math.Min(PieceStats.Values, count - done);
            ref PieceStats stats = ref _state.PieceAt(first + done);
            stats.AddCodes(codesA.Slice(done / 2, (piece + 1) / 2), codesB.Slice(done / 2, (piece + 1) / 2), piece, first + done);
            int block = done / blocksize, blocks = (piece + blocksize - 1) / blocksize;
            stats.AddAbsmax(absmaxA.Slice(block, blocks), absmaxB.Slice(block, blocks), (first + done) / blocksize);
        }

        return false;
    }

    /// <summary>Byte for byte, but the quant_state by what it says: white space in it means nothing.</summary>
    private void CompareCompanions(PairBuffers buffers)
    {
        BnbWeight a = Pair.A.Packed!, b = Pair.B.Packed!;
        var differing = new List<string>();
        Check("absmax", a.Absmax, b.Absmax);
        Check("quant_map", a.QuantMap, b.QuantMap);
        Check("nested_absmax", a.NestedAbsmax, b.NestedAbsmax);
        Check("nested_quant_map", a.NestedQuantMap, b.NestedQuantMap);
        // Its other members are changes of form and named as such.
        if (!Nullable.Equals(a.State.NestedOffset, b.State.NestedOffset)) differing.Add("quant_state");
        _state.SetParts(differing);

        void Check(string part, CheckpointTensor? partA, CheckpointTensor? partB)
        {
            if (partA is not null && partB is not null && !SameBytes(partA, partB, buffers)) differing.Add(part);
        }
    }

    private bool SameBytes(CheckpointTensor a, CheckpointTensor b, PairBuffers buffers)
    {
        byte[] rawA = buffers.A.Stored.Raw, rawB = buffers.B.Stored.Raw;
        for (long offset = 0; offset < a.ByteCount; offset += rawA.Length)
        {
            int length = (int)Math.Min(rawA.Length, a.ByteCount - offset);
            _context.Source.ReadBytes(a, offset, rawA.AsSpan(0, length));
            _context.Source.ReadBytes(b, offset, rawB.AsSpan(0, length));
            if (!rawA.AsSpan(0, length).SequenceEqual(rawB.AsSpan(0, length))) return false;
        }

        return true;
    }

    /// <summary>Made by the first worker here, the others wait.</summary>
    private (DenseReader A, DenseReader B) Readers()
    {
        lock (_lock)
        {
            if (_a is null) _context.Progress.Current = Pair.Name;
            return (_a ??= Reader(Pair.A, Pair.B), _b ??= Reader(Pair.B, Pair.A));
        }
    }

    private DenseReader Reader(DiffWeight weight, DiffWeight other)
    {
        if (weight.Packed is { } packed) return DenseReader.Of(packed, weight.DecodedType, _context.Source, _context.KernelPath);
        return Pair.Transposed
            ? DenseReader.Transposed(weight.Stored, _context.Source, other.Shape[0], other.Shape[1], Preload(weight.Stored))
            : DenseReader.Of(weight.Stored, _context.Source);
    }

    private byte[]? Preload(CheckpointTensor tensor)
    {
        if (tensor.ByteCount > Array.MaxLength || !_context.Budget.TryReserve(tensor.ByteCount)) return null;
        _reserved += tensor.ByteCount;
        byte[] stored = GC.AllocateUninitializedArray<byte>((int)tensor.ByteCount);
        _context.Source.ReadBytes(tensor, 0, stored);
        return stored;
    }

    private ReadOnlySpan<float> Absmax(DenseBuffers buffers, int count)
    {
        int blocksize = Pair.A.Packed!.State.Blocksize;
        return buffers.Stored.Absmax.AsSpan(0, (count + blocksize - 1) / blocksize);
    }

    private static ReadOnlySpan<byte> Codes(DenseBuffers buffers, int count) => buffers.Stored.Packed.AsSpan(0, (count + 1) / 2);

    /// <summary>Bytes read for so many values, for the progress display.</summary>
    private static long BytesOf(DiffWeight weight, int count) =>
        weight.Packed is null ? (long)count * weight.Stored.DType.BitSize() / 8 : (count + 1) / 2;
}
