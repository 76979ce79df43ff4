using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bnb.Quant.Search;

/// <summary>
/// The scale of one block with the least error, by branch and bound. Equal to <see cref="BlockSearchReference{TTable, TSet}"/>,
/// the definition, to the bit: float32 sums only decide what need not be looked at, with a margin above their rounding; what
/// is left is compared by <see cref="BlockError"/>, as the definition does.
/// </summary>
/// <remarks>
/// The bound: with x and the values fixed, the error is a parabola of the scale s whose second derivative is 2B, B the sum of
/// weight * value^2; choosing the nearest values takes the least of all such parabolas. B never grows with |s|. So between
/// scales a and b, error(s) - B(a) s^2 is the least of concave functions, hence concave, and lies above its chord: with
/// D = B(a) (b - a)^2, the error between a and b is at least the minimum of the parabola through both ends with second
/// derivative 2B(a).
/// </remarks>
internal sealed class BlockSearch<TTable, TKernel, TSet>(TSet set)
    where TTable : struct, ISearchTable
    where TKernel : struct, ISearchKernel
    where TSet : IScaleSet
{
    // What float32 sums can be off, relative to themselves: 2^-12 for rounding y, values and bounds where the error is at least
    // 2^-16 of the sum of squares, and 2^-26 per value for adding up; and 2^-28 per value of absmax^2 for smaller errors.
    private const float Margin = 0.00024414062f;
    private const float MarginPerValue = 1.4901161e-8f;
    private const float Least = 3.7252903e-9f;

    private Interval[] _open = new Interval[128];
    private Interval[] _leaves = new Interval[32];
    private int _openCount;
    private int _leafCount;
    private float[] _values = [];
    private float[] _again = [];
    private float _absmax;
    private float _inverse;
    private float _best;
    private float _slack;
    private float _floor;
    private float _lowest;
    private float _highest;

    /// <summary>The best scale of the set. Exact.</summary>
    /// <param name="x">The block, padded with zeros to a multiple of 16. Finite.</param>
    /// <param name="weights">As long, from 2^-20 to 1; empty for 1 everywhere.</param>
    /// <param name="absmax">Its largest magnitude, from 2^-100 to 2^100.</param>
    /// <returns><see cref="ScaleChoice.None"/> when rounding leaves no choice of codes its own scale.</returns>
    public ScaleChoice Find(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float absmax)
    {
        if (_values.Length < x.Length)
        {
            _values = new float[x.Length];
            _again = new float[x.Length];
        }

        _absmax = absmax;
        _inverse = 1f / absmax;
        _best = float.PositiveInfinity;
        _slack = 1f + Margin + (x.Length * MarginPerValue);
        _floor = x.Length * Least;
        _lowest = 0f;
        _highest = float.PositiveInfinity;
        _openCount = _leafCount = 0;
        Scan(x, weights, negative: false);
        if (!TTable.Mirrored) Scan(x, weights, negative: true);

        // The most promising one is taken first, so that the others meet a good bound.
        MoveBestToTop();
        while (_openCount > 0)
        {
            Interval interval = _open[--_openCount];
            if (interval.Bound < Limit) Split(interval, x, weights);
        }

        return Choose(x, weights);
    }

    /// <summary>What is at or above it cannot be the best.</summary>
    private float Limit => (_best * _slack) + _floor;

    private void MoveBestToTop()
    {
        if (_openCount == 0) return;
        int best = 0;
        for (int i = 1; i < _openCount; i++)
        {
            if (_open[i].Bound < _open[best].Bound) best = i;
        }

        (_open[best], _open[_openCount - 1]) = (_open[_openCount - 1], _open[best]);
    }

    private Point Evaluate(int index, bool negative, ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        float magnitude = set.At(index, negative);
        float reciprocal = 1f / magnitude;
        TKernel.Evaluate<TTable>(x, weights, negative ? -reciprocal : reciprocal, out float error, out float square);
        // In units of absmax^2, so that no block's size can overflow.
        float ratio = magnitude * _inverse;
        error *= ratio * ratio;
        if (error < _best) _best = error;
        return new Point(index, ratio, error, square);
    }

    /// <summary>Evaluates the grid for one sign, upwards until what becomes 0 costs more than the best scale known, then
    /// downwards until cutting off does, and opens the intervals between neighbours. Both limits hold for the other sign too.</summary>
    private void Scan(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, bool negative)
    {
        if (set.Count(negative) == 0) return;
        int low = set.Floor((double)_absmax * SearchGrid<TTable>.Smallest, negative);
        int high = Math.Max(low, set.Floor((double)_absmax * TTable.Largest, negative));
        int start = Math.Clamp(set.Floor((double)_absmax * SearchGrid<TTable>.Up[0], negative), low, high);
        Point first = Evaluate(start, negative, x, weights), last = first;
        // A set with one number in range has no interval.
        if (low == high) Open(first, first, negative);
        if (TSet.Dense && high == start) Push(ref _leaves, ref _leafCount, new Interval(first, first, negative, first.Error));
        for (int i = 1; last.Index < high && last.Ratio < _highest; i++)
        {
            float multiple = SearchGrid<TTable>.Up[i];
            int index = i + 1 == SearchGrid<TTable>.Up.Length ? high : Math.Min(high, set.Floor((double)_absmax * multiple, negative));
            if (index <= last.Index) continue;
            Point point = Evaluate(index, negative, x, weights);
            Open(last, point, negative);
            last = point;
            if (TSet.Dense && index == high) Push(ref _leaves, ref _leafCount, new Interval(point, point, negative, point.Error));
            if (multiple < SearchGrid<TTable>.LostFrom || point.Ratio >= _highest) continue;
            float lost = TKernel.Lost<TTable>(x, weights, 1f / set.At(index, negative)) * point.Ratio * point.Ratio;
            if (lost > Limit) _highest = point.Ratio;
        }

        last = first;
        for (int i = 0; last.Index > low && last.Ratio > _lowest; i++)
        {
            float multiple = SearchGrid<TTable>.Down[i];
            int index = i + 1 == SearchGrid<TTable>.Down.Length ? low : Math.Max(low, set.Floor((double)_absmax * multiple, negative));
            if (index >= last.Index) continue;
            Point point = Evaluate(index, negative, x, weights);
            Open(point, last, negative);
            last = point;
            if (TSet.Dense && index == low) Push(ref _leaves, ref _leafCount, new Interval(point, point, negative, point.Error));
            if (multiple > SearchGrid<TTable>.ClippedFrom || point.Ratio <= _lowest) continue;
            float clipped = TKernel.Clipped<TTable>(x, weights, 1f / set.At(index, negative)) * point.Ratio * point.Ratio;
            if (clipped > Limit) _lowest = point.Ratio;
        }
    }

    /// <summary>Whether an index is the first or last that is searched for its sign.</summary>
    private bool IsEnd(int index, bool negative)
    {
        int low = set.Floor((double)_absmax * SearchGrid<TTable>.Smallest, negative);
        return index == low || index == Math.Max(low, set.Floor((double)_absmax * TTable.Largest, negative));
    }

    private void Open(in Point near, in Point far, bool negative)
    {
        float bound = LowerBound(near, far);
        if (bound < Limit) Push(ref _open, ref _openCount, new Interval(near, far, negative, bound));
    }

    private static void Push(ref Interval[] stack, ref int count, in Interval interval)
    {
        if (count == stack.Length) Array.Resize(ref stack, 2 * count);
        stack[count++] = interval;
    }

    /// <summary>No scale between the two has a smaller error, rounding apart.</summary>
    private static float LowerBound(in Point near, in Point far)
    {
        float width = far.Ratio - near.Ratio;
        float bow = near.Square * width * width, difference = far.Error - near.Error;
        if (MathF.Abs(difference) >= bow) return MathF.Min(near.Error, far.Error);
        return (0.5f * (near.Error + far.Error)) - (0.25f * bow) - (0.25f * difference * difference / bow);
    }

    private void Split(in Interval interval, ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        Point near = interval.Near, far = interval.Far;
        bool negative = interval.Negative;
        if (far.Index - near.Index <= 1)
        {
            Push(ref _leaves, ref _leafCount, interval with { Far = near, Bound = near.Error });
            if (far.Index > near.Index) Push(ref _leaves, ref _leafCount, interval with { Near = far, Bound = far.Error });
            return;
        }

        if (TSet.Dense && near.Square - far.Square <= TTable.LargestStep && far.Ratio < near.Ratio * TTable.Narrow)
        {
            float first = 1f / set.At(near.Index, negative), second = 1f / set.At(far.Index, negative);
            if (TKernel.AreNeighbours<TTable>(x, negative ? -first : first, negative ? -second : second))
            {
                Push(ref _leaves, ref _leafCount, interval);
                return;
            }
        }

        Point middle = Evaluate(near.Index + ((far.Index - near.Index) / 2), negative, x, weights);
        Open(near, middle, negative);
        Open(middle, far, negative);
    }

    /// <summary>The best of what is left, by the definition's sums.</summary>
    private ScaleChoice Choose(ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        ScaleChoice best = ScaleChoice.None;
        for (; _leafCount > 0; _leafCount--)
        {
            // Best first; the others then mostly fail the limit.
            int first = 0;
            for (int i = 1; i < _leafCount; i++)
            {
                if (_leaves[i].Bound < _leaves[first].Bound) first = i;
            }

            Interval leaf = _leaves[first];
            if (leaf.Bound >= Limit) break;
            _leaves[first] = _leaves[_leafCount - 1];
            if (TSet.Dense && !(leaf.Near.Index == leaf.Far.Index && IsEnd(leaf.Near.Index, leaf.Negative)))
            {
                Consider(leaf, leaf.Near.Index, x, weights, ref best);
                if (leaf.Far.Index > leaf.Near.Index) Consider(leaf, leaf.Far.Index, x, weights, ref best);
            }
            else
            {
                Take(leaf.Near.Index, leaf.Negative, x, weights, ref best);
            }
        }

        return best;
    }

    /// <summary>The least-squares scale of the codes at one end of a leaf, if it has these codes itself.</summary>
    private void Consider(in Interval leaf, int end, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, ref ScaleChoice best)
    {
        Span<float> values = _again.AsSpan(0, x.Length);
        Decode(end, leaf.Negative, x, values);
        double scale = BlockError.LeastSquares(x, weights, values);
        if (leaf.Negative) scale = -scale;
        if (!(scale > 0)) return;
        int index = NearestIndex(set, scale, leaf.Negative);
        if (index < leaf.Near.Index || index > leaf.Far.Index) return;
        Decode(index, leaf.Negative, x, _values.AsSpan(0, x.Length));
        if (!MemoryMarshal.Cast<float, int>(values).SequenceEqual(MemoryMarshal.Cast<float, int>(_values.AsSpan(0, x.Length)))) return;
        Keep(index, leaf.Negative, x, weights, ref best);
    }

    private void Take(int index, bool negative, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, ref ScaleChoice best)
    {
        Decode(index, negative, x, _values.AsSpan(0, x.Length));
        Keep(index, negative, x, weights, ref best);
    }

    private void Keep(int index, bool negative, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, ref ScaleChoice best)
    {
        float magnitude = set.At(index, negative);
        double error = BlockError.Of(x, weights, _values.AsSpan(0, x.Length), negative ? -magnitude : magnitude);
        var choice = new ScaleChoice(error, index, negative);
        if (choice.IsBetterThan(best)) best = choice;
        float relative = (float)(error * _inverse * _inverse);
        if (relative < _best) _best = relative;
    }

    private void Decode(int index, bool negative, ReadOnlySpan<float> x, Span<float> values)
    {
        float reciprocal = 1f / set.At(index, negative);
        TKernel.Decode<TTable>(x, negative ? -reciprocal : reciprocal, values);
    }

    /// <summary>The place of the nearest scale; the smaller of two equally near ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int NearestIndex(TSet set, double magnitude, bool negative)
    {
        int index = set.Floor(magnitude, negative);
        if (index + 1 >= set.Count(negative)) return index;
        return set.At(index + 1, negative) - magnitude < magnitude - set.At(index, negative) ? index + 1 : index;
    }

    /// <param name="Index">Place in the set.</param>
    /// <param name="Ratio">Magnitude of the scale over absmax.</param>
    /// <param name="Error">Sum of weight * (x - scale * value)^2 over absmax^2.</param>
    /// <param name="Square">Sum of weight * value^2.</param>
    private readonly record struct Point(int Index, float Ratio, float Error, float Square);

    /// <param name="Near">The end with the smaller magnitude.</param>
    /// <param name="Bound">No error between the ends is below it.</param>
    private readonly record struct Interval(Point Near, Point Far, bool Negative, float Bound);
}
