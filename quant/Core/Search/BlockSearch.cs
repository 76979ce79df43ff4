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
    /// <summary>2^-9, well above what float32 sums of any block can be off relative to themselves.</summary>
    private const float Margin = 0.001953125f;

    /// <summary>2^-32 per value: what rounding y can change where the error is next to nothing.</summary>
    private const float MarginPerValue = 2.3283064e-10f;

    private readonly List<Interval> _open = [];
    private readonly List<Interval> _leaves = [];
    private float[] _values = [];
    private float[] _again = [];
    private float _absmax;
    private float _inverse;
    private float _best;
    private float _stop;

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
        _stop = 0f;
        _open.Clear();
        _leaves.Clear();
        Scan(x, weights, negative: false);
        if (!TTable.Mirrored) Scan(x, weights, negative: true);

        // The most promising one is taken first, so that the others meet a good bound.
        _open.Sort(static (left, right) => right.Bound.CompareTo(left.Bound));
        while (_open.Count > 0)
        {
            Interval interval = _open[^1];
            _open.RemoveAt(_open.Count - 1);
            if (interval.Bound < Limit(x.Length)) Split(interval, x, weights);
        }

        return Choose(x, weights);
    }

    private float Limit(int count) => _best + (_best * Margin) + (count * MarginPerValue);

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

    /// <summary>Evaluates the grid for one sign from the largest scale down to where cutting off costs more than the best one
    /// known, and opens the intervals between neighbours.</summary>
    private void Scan(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, bool negative)
    {
        if (set.Count(negative) == 0) return;
        int low = set.Floor((double)_absmax * SearchGrid<TTable>.Smallest, negative);
        int high = Math.Max(low, set.Floor((double)_absmax * TTable.Largest, negative));
        Point last = Evaluate(high, negative, x, weights);
        int first = _open.Count;
        if (low == high) Open(last, last, negative);
        foreach (float multiple in SearchGrid<TTable>.Multiples.AsSpan(1))
        {
            int index = Math.Max(low, set.Floor((double)_absmax * multiple, negative));
            if (index >= last.Index) continue;
            Point point = Evaluate(index, negative, x, weights);
            Open(point, last, negative);
            last = point;
            if (point.Ratio <= _stop) break;
            if (_stop > 0 || multiple > SearchGrid<TTable>.ClipFrom) continue;
            float clipped = TKernel.Clipped<TTable>(x, weights, 1f / set.At(index, negative)) * point.Ratio * point.Ratio;
            if (clipped <= Limit(x.Length)) continue;
            _stop = point.Ratio;
            break;
        }

        // What was open before the best scale was met.
        for (int i = _open.Count - 1; i >= first; i--)
        {
            if (_open[i].Bound >= Limit(x.Length)) _open.RemoveAt(i);
        }
    }

    private void Open(in Point near, in Point far, bool negative) =>
        _open.Add(new Interval(near, far, negative, LowerBound(near, far)));

    private void OpenBelow(float limit, in Point near, in Point far, bool negative)
    {
        float bound = LowerBound(near, far);
        if (bound < limit) _open.Add(new Interval(near, far, negative, bound));
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
            _leaves.Add(interval with { Far = near, Bound = near.Error });
            if (far.Index > near.Index) _leaves.Add(interval with { Near = far, Bound = far.Error });
            return;
        }

        if (TSet.Dense && near.Square - far.Square <= TTable.LargestStep && far.Ratio < near.Ratio * TTable.Narrow)
        {
            float first = 1f / set.At(near.Index, negative), second = 1f / set.At(far.Index, negative);
            if (TKernel.AreNeighbours<TTable>(x, negative ? -first : first, negative ? -second : second))
            {
                _leaves.Add(interval);
                return;
            }
        }

        Point middle = Evaluate(near.Index + ((far.Index - near.Index) / 2), negative, x, weights);
        float limit = Limit(x.Length);
        OpenBelow(limit, near, middle, negative);
        OpenBelow(limit, middle, far, negative);
    }

    /// <summary>The best of what is left, by the definition's sums.</summary>
    private ScaleChoice Choose(ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        _leaves.Sort(static (left, right) => left.Bound.CompareTo(right.Bound));
        ScaleChoice best = ScaleChoice.None;
        foreach (Interval leaf in _leaves)
        {
            if (leaf.Bound >= Limit(x.Length)) break;
            if (TSet.Dense)
            {
                Consider(leaf, leaf.Near.Index, x, weights, ref best);
                Consider(leaf, leaf.Far.Index, x, weights, ref best);
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
