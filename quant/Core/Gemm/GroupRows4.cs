using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gemm;

/// <summary>INT4 weights [n, k] in groups, decoded to what they are after rounding to the compute type. Rows are whole
/// groups.</summary>
internal readonly unsafe struct GroupRows4<TElement, TLookup>(PackedGroups4 weights, int k) : IWeightRows
    where TElement : struct, IElement
    where TLookup : struct, IGroupLookup4
{
    private readonly PackedGroups4 _weights = weights;
    private readonly int _rowGroups = k / weights.GroupSize;

    public bool InPairs => TLookup.HasPairs && _weights.GroupSize % 32 == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fill(long row, int first, int count, float* destination)
    {
        if (!InPairs)
        {
            InOrder(row, first, count, destination);
            return;
        }

        long group = GroupOf(row, first, out int index);
        if (Sse.IsSupported)
        {
            // The next run of this row is wanted after the other rows of the chunk: time enough to fetch it. A prefetch
            // beyond the end of the matrix does nothing.
            byte* next = _weights.CodesAt(group, index) + count / 2;
            for (byte* line = next; line < next + count / 2; line += 64) Sse.Prefetch1(line);
        }

        TLookup.Pairs<TElement>(_weights, group, index, count, destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Dot<TTile>(long row, int first, int count, float* x)
        where TTile : struct, IGemmTile
    {
        if (!InPairs) return DotInOrder<TTile>(row, first, count, x);
        long group = GroupOf(row, first, out int index);
        return TLookup.DotPairs<TElement>(_weights, group, index, count, x);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private float DotInOrder<TTile>(long row, int first, int count, float* x)
        where TTile : struct, IGemmTile
    {
        float* buffer = stackalloc float[count];
        InOrder(row, first, count, buffer);
        return TTile.Dot(count, buffer, x);
    }

    /// <summary>One group at a time. first and count are multiples of 8, because k and the lengths of runs are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void InOrder(long row, int first, int count, float* destination)
    {
        long group = GroupOf(row, first, out int index);
        while (count > 0)
        {
            int length = Math.Min(count, _weights.GroupSize - index);
            TLookup.ToSingle<TElement>(_weights, group++, index, length, destination);
            index = 0;
            destination += length;
            count -= length;
        }
    }

    /// <summary>The group a column is in, and the column's place in it.</summary>
    private long GroupOf(long row, int column, out int index)
    {
        (int group, index) = Math.DivRem(column, _weights.GroupSize);
        return row * _rowGroups + group;
    }
}
