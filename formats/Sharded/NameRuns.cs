using System.Buffers.Binary;

namespace Bnb.Formats.Sharded;

/// <summary>
/// Very many names with the file each is in, as runs that are in order. A name keeps only what differs from the one before it in its
/// run, since neighbours share most: a dozen bytes for one of sixty.
/// </summary>
internal sealed class NameRuns
{
    // Two lengths of four bytes before each: what it shares, and what follows.
    private const int RecordHead = 8, FirstPieceBytes = 1 << 10, PieceBytes = 1 << 20;

    private readonly List<Piece> _pieces = [new(FirstPieceBytes)];
    private readonly List<Run> _runs = [];
    private byte[] _last = [];
    private int _lastLength;

    /// <summary>Adds a name behind the last; a run begins where they are not in order or not in one file.</summary>
    /// <param name="name">Its bytes, which decide the order.</param>
    /// <param name="shard">The place of its file.</param>
    public void Add(ReadOnlySpan<byte> name, int shard)
    {
        ReadOnlySpan<byte> last = _last.AsSpan(0, _lastLength);
        bool follows = _runs.Count > 0 && _runs[^1].Shard == shard && last.SequenceCompareTo(name) <= 0;
        int shared = follows ? last.CommonPrefixLength(name) : 0;
        ReadOnlySpan<byte> rest = name[shared..];
        if (_pieces[^1].Free < RecordHead + rest.Length)
            _pieces.Add(new Piece(Math.Max(RecordHead + rest.Length, Math.Min(PieceBytes, 2 * _pieces[^1].Bytes.Length))));

        Piece piece = _pieces[^1];
        if (!follows) _runs.Add(new Run(_pieces.Count - 1, piece.Used, shard));
        _runs[^1].Count++;
        Span<byte> record = piece.Bytes.AsSpan(piece.Used);
        BinaryPrimitives.WriteInt32LittleEndian(record, shared);
        BinaryPrimitives.WriteInt32LittleEndian(record[4..], rest.Length);
        rest.CopyTo(record[RecordHead..]);
        piece.Used += RecordHead + rest.Length;

        if (_last.Length < name.Length) Array.Resize(ref _last, Math.Max(name.Length, 2 * _last.Length));
        rest.CopyTo(_last.AsSpan(shared));
        _lastLength = name.Length;
    }

    /// <summary>Adds the runs of another one, which is not used any more.</summary>
    /// <param name="shards">What is added to the places of its files.</param>
    public void Add(NameRuns other, int shards)
    {
        foreach (Run run in other._runs) _runs.Add(new Run(run.Piece + _pieces.Count, run.Start, run.Shard + shards) { Count = run.Count });
        _pieces.AddRange(other._pieces);
        // The next name begins a run, in a piece of its own.
        _runs.Add(new Run(_pieces.Count, 0, -1));
        _pieces.Add(new Piece(FirstPieceBytes));
    }

    /// <summary>All names in their order; those of equal bytes as they were added.</summary>
    /// <param name="take">Takes a name, whose bytes are used again after the call, and its file's place.</param>
    public void Merge(NameTaker take)
    {
        var waiting = new PriorityQueue<Cursor, Cursor>(Comparer<Cursor>.Create(static (a, b) => a.CompareTo(b)));
        for (int i = 0; i < _runs.Count; i++)
        {
            if (_runs[i].Count == 0) continue;
            var cursor = new Cursor(_pieces, _runs[i], i);
            waiting.Enqueue(cursor, cursor);
        }

        while (waiting.TryDequeue(out Cursor? first, out _))
        {
            bool more;
            do
            {
                take(first.Name, first.Shard);
                more = first.Advance();
            }
            while (more && (waiting.Count == 0 || first.CompareTo(waiting.Peek()) < 0));

            if (more) waiting.Enqueue(first, first);
        }
    }

    private sealed class Piece(int bytes)
    {
        public byte[] Bytes { get; } = new byte[bytes];

        public int Used { get; set; }

        public int Free => Bytes.Length - Used;
    }

    private sealed class Run(int piece, int start, int shard)
    {
        public int Piece => piece;

        public int Start => start;

        public int Shard => shard;

        public int Count { get; set; }
    }

    /// <summary>One run on its way, at a name.</summary>
    private sealed class Cursor
    {
        private readonly List<Piece> _pieces;
        private readonly int _index;
        private byte[] _name = [];
        private int _length, _piece, _at, _left;

        public Cursor(List<Piece> pieces, Run run, int index)
        {
            (_pieces, _index, Shard) = (pieces, index, run.Shard);
            (_piece, _at, _left) = (run.Piece, run.Start, run.Count);
            Advance();
        }

        public int Shard { get; }

        public ReadOnlySpan<byte> Name => _name.AsSpan(0, _length);

        /// <summary>Goes to the next name; false when there is none.</summary>
        public bool Advance()
        {
            if (_left-- == 0) return false;
            if (_at == _pieces[_piece].Used) (_piece, _at) = (_piece + 1, 0);
            ReadOnlySpan<byte> record = _pieces[_piece].Bytes.AsSpan(_at);
            int shared = BinaryPrimitives.ReadInt32LittleEndian(record), rest = BinaryPrimitives.ReadInt32LittleEndian(record[4..]);
            _length = shared + rest;
            if (_name.Length < _length) Array.Resize(ref _name, Math.Max(_length, 2 * _name.Length));
            record.Slice(RecordHead, rest).CopyTo(_name.AsSpan(shared));
            _at += RecordHead + rest;
            return true;
        }

        /// <summary>By name, and by what was added first.</summary>
        public int CompareTo(Cursor other)
        {
            int order = Name.SequenceCompareTo(other.Name);
            return order != 0 ? order : _index.CompareTo(other._index);
        }
    }
}

/// <summary>Takes a name and the place of its file.</summary>
internal delegate void NameTaker(ReadOnlySpan<byte> name, int shard);
