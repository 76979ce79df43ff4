using Bnb.Engine.DataTypes;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Comparing;

/// <summary>
/// What is known so far about one pair. Chunks write to pieces of their own; everything is added up once, in order, when
/// all of them are done.
/// </summary>
internal sealed class PairState
{
    private readonly bool[] _measured;
    private readonly int _chunkUnits;
    private readonly Lock _lock = new();
    private PieceStats[]? _pieces;
    private PieceStats _sum = new();
    private volatile bool _bytesDiffer;
    private volatile bool _packedDiffers;
    private List<string> _parts = [];

    public PairState(DiffPair pair, MemoryBudget budget)
    {
        (Pair, _chunkUnits) = (pair, budget.ChunkValues);
        UnitBytes = Math.Max(1, pair.A.Stored.DType.BitSize() / 8);
        Units = pair.Content switch
        {
            PairContent.Nothing => 0,
            PairContent.Values => pair.A.ValueCount,
            _ => pair.A.Stored.ByteCount / UnitBytes,
        };
        _measured = new bool[DivideUp(Units, _chunkUnits)];
    }

    public DiffPair Pair { get; }

    /// <summary>Values, or elements of a tensor that has none; bytes where elements are smaller.</summary>
    public long Units { get; }

    /// <summary>Bytes of an element of a plain pair.</summary>
    public int UnitBytes { get; }

    public int ChunkCount => _measured.Length;

    /// <summary>False when headers say it all.</summary>
    public bool HasWork => ChunkCount > 0 || Pair.PartsCompare;

    /// <summary>
    /// Chunks that were equal as stored and therefore never decoded, of a pair that differs elsewhere: the relative error
    /// needs A's values everywhere.
    /// </summary>
    public IEnumerable<long> Unmeasured() => _pieces is null
        ? []
        : Enumerable.Range(0, ChunkCount).Where(chunk => !_measured[chunk]).Select(chunk => (long)chunk);

    public (long First, int Count) RangeOf(long chunk)
    {
        long first = chunk * _chunkUnits;
        return (first, (int)Math.Min(_chunkUnits, Units - first));
    }

    /// <summary>The piece that holds unit <paramref name="first"/>, for the one worker whose chunk it is in.</summary>
    public ref PieceStats PieceAt(long first) => ref Pieces()[first / PieceStats.Values];

    public void SetMeasured(long chunk) => _measured[chunk] = true;

    /// <summary>Says that stored bytes of a plain tensor differ.</summary>
    public void SetBytesDiffer() => _bytesDiffer = true;

    /// <summary>Says that stored codes differ, be it only in the padding.</summary>
    public void SetPackedDiffers() => _packedDiffers = true;

    /// <summary>Names the companions that differ.</summary>
    public void SetParts(List<string> parts) => _parts = parts;

    /// <summary>
    /// Called after each pass: adds up, and forgets the pieces unless some value differs and another pass must complete them.
    /// A checkpoint has too many of them to keep them all.
    /// </summary>
    public void EndPass()
    {
        if (_pieces is null) return;
        var sum = new PieceStats();
        foreach (ref readonly PieceStats piece in _pieces.AsSpan()) sum.Add(piece);
        _sum = sum;
        bool isComplete = Pair.Content != PairContent.Values || sum.Differing == 0 || Array.TrueForAll(_measured, measured => measured);
        if (isComplete) _pieces = null;
    }

    public WeightDiff Result()
    {
        bool? bytesEqual = null;
        List<string>? parts = null;
        if (Pair.PartsCompare)
        {
            parts = _packedDiffers ? ["weight", .. _parts] : _parts;
            bytesEqual = parts.Count == 0;
        }
        else if (Pair.BytesCompare && Pair.A.Stored.DType == Pair.B.Stored.DType)
        {
            bytesEqual = !_bytesDiffer;
        }

        bool equal = bytesEqual == true && Pair.Changes.Count == 0;
        return new WeightDiff(
            Pair.Name,
            equal ? DiffStatus.Equal : DiffStatus.Changed,
            Pair.A,
            Pair.B,
            Pair.Changes,
            Pair.Shape,
            bytesEqual,
            parts,
            Pair.CodesCompare ? new CodeDrift(Units, _sum.Codes, _sum.FirstCode) : null,
            Pair.CodesCompare ? Absmax(_sum) : null,
            Values(_sum));
    }

    private PieceStats[] Pieces()
    {
        if (Volatile.Read(ref _pieces) is { } pieces) return pieces;
        lock (_lock)
        {
            if (_pieces is not null) return _pieces;
            var made = new PieceStats[DivideUp(Units, PieceStats.Values)];
            Array.Fill(made, new PieceStats());
            Volatile.Write(ref _pieces, made);
            return made;
        }
    }

    private AbsmaxDrift Absmax(in PieceStats sum)
    {
        long blocks = DivideUp(Units, DataTypeCatalog.BuffersOf(Pair.A.Packed!).ValuesPerScale);
        return new AbsmaxDrift(blocks, sum.Absmax, sum.FirstAbsmax, sum.MaxRelativeAbsmax, blocks == 0 ? 0 : sum.RelativeAbsmax / blocks);
    }

    private ValueDrift? Values(in PieceStats sum) => Pair.Content switch
    {
        PairContent.Nothing => null,
        PairContent.Elements => new ValueDrift(Units, sum.Differing, sum.First, null),
        _ => new ValueDrift(
            Units, sum.Differing, sum.First, new ValueError(sum.MaxAbs, sum.Rmse, sum.RelativeRmse, sum.NonFinite)),
    };

    private static long DivideUp(long value, long by) => (value + by - 1) / by;
}
