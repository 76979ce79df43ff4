using System.Runtime.InteropServices;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Events;
using Bnb.Engine.Splitting;
using Bnb.Engine.Work;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Comparing;

/// <summary>What all pairs of one pass share.</summary>
internal sealed record PassContext(TensorSource Source, MemoryBudget Budget, ComputeEngine Engine, PipelineProgress Progress);

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
        return new PairPass(state, context, false, state.Pair.PartsCompare ? [Companions, .. chunks] : [.. chunks]);
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

    /// <returns>True when codes and scales say that no value differs.</returns>
    private bool CompareCodes(long first, int count, PairBuffers buffers)
    {
        (int codeBits, long valuesPerScale, _) = DataTypeCatalog.BuffersOf(Pair.A.Packed!);
        int bytes = ((count * codeBits) + 7) / 8;
        ReadOnlySpan<byte> codesA = buffers.A.Stored.Codes.AsSpan(0, bytes), codesB = buffers.B.Stored.Codes.AsSpan(0, bytes);
        long firstScale = first / valuesPerScale;
        int scales = (int)(((first + count - 1) / valuesPerScale) - firstScale + 1);
        ReadOnlySpan<float> scalesA = _a!.Scales(scales, buffers.A), scalesB = _b!.Scales(scales, buffers.B);
        bool sameZeroPoints = Pair.A.Packed is not Int4Weight { IsSymmetric: false }
            || buffers.A.Stored.ZeroPoints.AsSpan(0, scales).SequenceEqual(buffers.B.Stored.ZeroPoints.AsSpan(0, scales));
        bool sameCodes = codesA.SequenceEqual(codesB);
        if (!sameCodes) _state.SetPackedDiffers();
        if (sameCodes && sameZeroPoints && MemoryMarshal.AsBytes(scalesA).SequenceEqual(MemoryMarshal.AsBytes(scalesB)))
            return Pair.A.DecodedType == Pair.B.DecodedType;
        for (int done = 0; done < count; done += PieceStats.Values)
        {
            int piece = Math.Min(PieceStats.Values, count - done);
            ref PieceStats stats = ref _state.PieceAt(first + done);
            int start = done * codeBits / 8, length = ((piece * codeBits) + 7) / 8;
            stats.AddCodes(codesA.Slice(start, length), codesB.Slice(start, length), piece, first + done, CodeOrder());
            // A scale belongs to the piece that its first value is in.
            long scale = DivideUp(first + done, valuesPerScale), end = DivideUp(first + done + piece, valuesPerScale);
            int at = (int)(scale - firstScale), owned = (int)(end - scale);
            stats.AddScales(scalesA.Slice(at, owned), scalesB.Slice(at, owned), scale);
        }

        return false;
    }

    private CodeOrder CodeOrder() => Pair.A.Packed switch
    {
        Int8Weight => Comparing.CodeOrder.Bytes,
        Int4Weight => Comparing.CodeOrder.LowNibbleFirst,
        _ => Comparing.CodeOrder.HighNibbleFirst,
    };

    private static long DivideUp(long value, long by) => (value + by - 1) / by;

    /// <summary>Byte for byte, but the quant_state by what it says: white space in it means nothing.</summary>
    private void CompareCompanions(PairBuffers buffers)
    {
        QuantizedWeight a = Pair.A.Packed!, b = Pair.B.Packed!;
        List<string> differing =
        [
            .. WeightForm.Companions(a).Zip(WeightForm.Companions(b))
                .Where(pair => pair.First.Tensor is { } partA && pair.Second.Tensor is { } partB && !SameBytes(partA, partB, buffers))
                .Select(pair => pair.First.Part),
        ];
        // The other members of the quant_state are changes of form and named as such.
        if (a is BnbWeight x && b is BnbWeight y && !Nullable.Equals(x.State.NestedOffset, y.State.NestedOffset)) differing.Add("quant_state");
        _state.SetParts(differing);
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
        if (weight.Packed is { } packed) return DenseReader.Of(packed, weight.DecodedType, _context.Source, _context.Engine);
        if (weight.Slice is { Shape.Rank: 2 } slice)
        {
            var matrix = new SlicedReader(slice, _context.Source);
            matrix.Begin(Lend);
            return DenseReader.Of(matrix, weight.Stored.DType);
        }

        return Pair.Transposed
            ? DenseReader.Transposed(weight.Stored, _context.Source, other.Shape[0], other.Shape[1], Preload(weight.Stored))
            : DenseReader.Of(weight.Stored, _context.Source);
    }

    private byte[]? Preload(CheckpointTensor tensor)
    {
        if (tensor.ByteCount > Array.MaxLength || !Lend(tensor.ByteCount)) return null;
        byte[] stored = GC.AllocateUninitializedArray<byte>((int)tensor.ByteCount);
        _context.Source.ReadBytes(tensor, 0, stored);
        return stored;
    }

    private bool Lend(long bytes)
    {
        if (!_context.Budget.TryReserve(bytes)) return false;
        _reserved += bytes;
        return true;
    }

    /// <summary>Bytes read for so many values, for the progress display.</summary>
    private static long BytesOf(DiffWeight weight, int count) =>
        weight.Packed is null
        ? (long)count * weight.Stored.DType.BitSize() / 8
        : (((long)count * DataTypeCatalog.BuffersOf(weight.Packed).CodeBits) + 7) / 8;
}
