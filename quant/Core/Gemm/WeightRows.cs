using System.Runtime.CompilerServices;

namespace Bnb.Quant;

/// <summary>Where the matrix product takes its weights from, a run of one row at a time.</summary>
internal unsafe interface IWeightRows
{
    /// <summary>Writes w[row, first .. first + count] as float32. Caller's duty: the run lies inside the matrix.</summary>
    void Fill(long row, int first, int count, float* destination);
}

/// <summary>A float32 matrix [n, k], row-major.</summary>
internal readonly unsafe struct SingleRows(float* weights, int k) : IWeightRows
{
    private readonly float* _weights = weights;
    private readonly int _k = k;

    /// <summary>The row itself; <see cref="Fill"/> is a copy of its parts.</summary>
    public float* Row(long row) => _weights + row * _k;

    public void Fill(long row, int first, int count, float* destination) =>
        new ReadOnlySpan<float>(Row(row) + first, count).CopyTo(new Span<float>(destination, count));
}

/// <summary>The addresses and layout of 4-bit weights. Valid while the caller keeps them fixed.</summary>
internal readonly unsafe struct PackedWeights4(byte* packed, float* absmax, float* map, int blocksize, int phase, int k)
{
    public readonly byte* Packed = packed;
    public readonly float* Absmax = absmax;
    public readonly float* Map = map;
    public readonly int Blocksize = blocksize;
    public readonly int Phase = phase;
    public readonly int K = k;

    /// <summary>Where a weight lies in the run of values that begins with the first block.</summary>
    public long PositionOf(long row, int column) => Phase + row * K + column;
}

/// <summary>4-bit weights, decoded to what they are after rounding to the compute type.</summary>
internal readonly unsafe struct PackedRows4<TElement, TLookup>(PackedWeights4 weights) : IWeightRows
    where TElement : struct, IElement
    where TLookup : struct, ICodeLookup
{
    public readonly PackedWeights4 Weights = weights;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Fill(long row, int first, int count, float* destination)
    {
        long position = Weights.PositionOf(row, first);
        while (count > 0)
        {
            // One block at a time; a block boundary is always a byte boundary.
            int blocksize = Weights.Blocksize;
            int length = Math.Min(count, blocksize - (int)(position & (blocksize - 1)));
            float absmax = Weights.Absmax[position / blocksize];
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
