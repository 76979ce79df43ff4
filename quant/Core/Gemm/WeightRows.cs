using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gemm;

/// <summary>Where the matrix product takes its weights from, a run of one row at a time.</summary>
internal unsafe interface IWeightRows
{
    /// <summary>Whether each 32 columns come as the 16 even ones, then the 16 odd ones, and must do so in x. Only where rows
    /// are multiples of 32; first and count are then, too.</summary>
    bool InPairs { get; }

    /// <summary>Writes w[row, first .. first + count] as float32. Caller's duty: the run lies inside the matrix.</summary>
    void Fill(long row, int first, int count, float* destination);

    /// <summary>The sum of w[row, first .. first + count] times x, for a single row of x.</summary>
    float Dot<TTile>(long row, int first, int count, float* x)
        where TTile : struct, IGemmTile;
}

/// <summary>A float32 matrix [n, k], row-major.</summary>
internal readonly unsafe struct SingleRows(float* weights, int k) : IWeightRows
{
    private readonly float* _weights = weights;
    private readonly int _k = k;

    public bool InPairs => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fill(long row, int first, int count, float* destination)
    {
        float* source = _weights + row * _k + first;
        if (Sse.IsSupported)
        {
            // The next run of this row is wanted after the other rows of the chunk: time enough to fetch it. A prefetch
            // beyond the end of the matrix does nothing.
            for (float* line = source + count; line < source + 2 * count; line += 16) Sse.Prefetch1(line);
        }

        new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(destination, count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Dot<TTile>(long row, int first, int count, float* x)
        where TTile : struct, IGemmTile => TTile.Dot(count, _weights + row * _k + first, x);
}

/// <summary>The addresses and layout of 4-bit weights. Valid while the caller keeps them fixed.</summary>
internal readonly unsafe struct PackedWeights4(byte* packed, float* absmax, float* map, int blocksize, int phase, int k)
{
    public readonly byte* Packed = packed;
    public readonly float* Absmax = absmax;
    public readonly float* Map = map;
    public readonly int Blocksize = blocksize;
    public readonly int BlockShift = BitOperations.Log2((uint)blocksize);
    public readonly int Phase = phase;
    public readonly int K = k;

    /// <summary>Whether every row consists of whole groups of 32 values of one block.</summary>
    public bool IsWholeGroups => Phase % 32 == 0 && K % 32 == 0;

    /// <summary>The scale of the block a position is in.</summary>
    public float* AbsmaxAt(long position) => Absmax + (position >> BlockShift);

    /// <summary>Groups of 32 between the start of its block and a position.</summary>
    public int GroupsBefore(long position) => (int)(position & (Blocksize - 1)) / 32;

    /// <summary>Where a weight lies in the run of values that begins with the first block.</summary>
    public long PositionOf(long row, int column) => Phase + row * K + column;
}

/// <summary>4-bit weights, decoded to what they are after rounding to the compute type.</summary>
internal readonly unsafe struct PackedRows4<TElement, TLookup>(PackedWeights4 weights) : IWeightRows
    where TElement : struct, IElement
    where TLookup : struct, ICodeLookup
{
    public readonly PackedWeights4 Weights = weights;

    public bool InPairs => TLookup.HasPairs && Weights.IsWholeGroups;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fill(long row, int first, int count, float* destination)
    {
        if (!InPairs)
        {
            InOrder(Weights.PositionOf(row, first), count, destination);
            return;
        }

        long position = Weights.PositionOf(row, first);
        if (Sse.IsSupported)
        {
            // As for float32 rows: the same row's next run, which is wanted after the other rows of the chunk.
            byte* next = Weights.Packed + (position + count) / 2;
            for (byte* line = next; line < next + count / 2; line += 64) Sse.Prefetch1(line);
            Sse.Prefetch1(Weights.AbsmaxAt(position + count));
        }

        TLookup.Pairs<TElement>(
            Weights.Map,
            Weights.AbsmaxAt(position),
            Weights.Blocksize / 32,
            Weights.GroupsBefore(position),
            Weights.Packed + position / 2,
            destination,
            count / 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Dot<TTile>(long row, int first, int count, float* x)
        where TTile : struct, IGemmTile
    {
        long position = Weights.PositionOf(row, first);
        if (InPairs)
        {
            return TLookup.DotPairs<TElement>(
                Weights.Map,
                Weights.AbsmaxAt(position),
                Weights.Blocksize / 32,
                Weights.GroupsBefore(position),
                Weights.Packed + position / 2,
                x,
                count / 32);
        }

        return DotInOrder<TTile>(position, count, x);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private float DotInOrder<TTile>(long position, int count, float* x)
        where TTile : struct, IGemmTile
    {
        float* buffer = stackalloc float[count];
        InOrder(position, count, buffer);
        return TTile.Dot(count, buffer, x);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void InOrder(long position, int count, float* destination)
    {
        while (count > 0)
        {
            // One block at a time; a block boundary is always a byte boundary.
            int blocksize = Weights.Blocksize;
            int length = Math.Min(count, blocksize - (int)(position & (blocksize - 1)));
            float absmax = *Weights.AbsmaxAt(position);
            int head = (int)(position & 1), groups = (length - head) / 32;
            if (head != 0) *destination = One(position, absmax);
            TLookup.ToSingle<TElement>(
                ref *Weights.Map, absmax, ref Weights.Packed[(position + head) >> 1], ref destination[head], groups);
            for (int i = head + groups * 32; i < length; i++) destination[i] = One(position + i, absmax);
            position += length;
            destination += length;
            count -= length;
        }
    }

    private float One(long position, float absmax)
    {
        int code = (Weights.Packed[position >> 1] >> ((position & 1) == 0 ? 4 : 0)) & 0xF;
        return TElement.FromBits(TElement.ToBits(Weights.Map[code] * absmax));
    }
}
