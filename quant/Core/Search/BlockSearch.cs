using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Search;

/// <summary>
/// The best scale of one block, by branch and bound. Equal to <see cref="BlockSearchReference{TTable, TSet}"/>,
/// the definition, to the bit: float32 sums only decide what need not be looked at, with a margin above their rounding; what
/// is left is compared by <see cref="BlockError"/>, as the definition does.
/// </summary>
/// <remarks>
/// The bound: with x and the values fixed, the error is a parabola of the scale s whose second derivative is 2B, B the sum of
/// weight * value^2; choosing the nearest values takes the least of all such parabolas. B never grows with |s|. So between
/// scales a and b, error(s) - B(a) s^2 is the least of concave functions, hence concave, and lies above its chord: with
/// D = B(a) (b - a)^2, the error between a and b is at least the minimum of the parabola through both ends with second
/// derivative 2B(a). Many scales are tried at once, so the search goes by rounds: all intervals that are still open are cut
/// into as many parts as there are lanes for.
/// </remarks>
internal sealed class BlockSearch<TTable, TKernel, TSet>(TSet set)
    where TTable : struct, ISearchTable
    where TKernel : struct, ISearchKernel
    where TSet : IScaleSet
{
    private const int Batch = ISearchKernel.Batch;

    private readonly Interval[] _taken = new Interval[Batch];
    private readonly int[] _cuts = new int[Batch];
    private int[] _indices = new int[128];
    private float[] _scales = new float[128];
    private float[] _errors = new float[128];
    private float[] _squares = new float[128];
    private Interval[] _open = new Interval[64];
    private int _queued;
    private int _tried;
    private int _openCount;
    private float[] _values = [];
    private float[] _again = [];
    private float _absmax;
    private float _inverse;
    private float _best;
    private float _slack;
    private float _floor;

    /// <summary>The best scale. Exact.</summary>
    /// <param name="x">The block, padded with zeros to a multiple of 16. Finite.</param>
    /// <param name="weights">As long, from 2^-20 to 1; empty for 1 everywhere.</param>
    /// <param name="absmax">Its largest magnitude, from 2^-100 to 2^100.</param>
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
        _slack = SearchMargin.Slack(x.Length);
        _floor = SearchMargin.Floor(x.Length);
        _queued = _tried = _openCount = 0;
        QueueStart(negative: false);
        if (!TTable.Mirrored) QueueStart(negative: true);
        int outer = TTable.Start.Length - 1, count = _queued;
        Evaluate(x, weights);
        for (int start = 0; start < count; start += outer + 1)
        {
            Open(start, start + 1, start + outer, start + outer);
        }

        Spread(0, outer, x, weights);
        if (!TTable.Mirrored) Spread(outer + 1, count - 1, x, weights);
        while (_openCount > 0) Split(x, weights);
        return Choose(x, weights);
    }

    /// <summary>What is at or above it cannot be the best.</summary>
    private float Limit => (_best * _slack) + _floor;

    /// <summary>Some of these may be the same.</summary>
    private void QueueStart(bool negative)
    {
        foreach (float multiple in TTable.Start) Queue(set.Near(_absmax * multiple, negative), negative);
    }

    private void Queue(int index, bool negative)
    {
        int place = _queued++;
        // Room for a whole batch, since a batch is filled up.
        if (place + Batch >= _indices.Length)
        {
            Array.Resize(ref _indices, 2 * _indices.Length);
            Array.Resize(ref _scales, _indices.Length);
            Array.Resize(ref _errors, _indices.Length);
            Array.Resize(ref _squares, _indices.Length);
        }

        float magnitude = set.At(index, negative);
        _indices[place] = index;
        _scales[place] = negative ? -magnitude : magnitude;
    }

    /// <summary>Tries what is queued.</summary>
    private void Evaluate(ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        int count = _queued - _tried, padded = (count + Batch - 1) / Batch * Batch;
        if (count == 0) return;
        _scales.AsSpan(_queued, padded - count).Fill(_scales[_tried]);
        Span<float> errors = _errors.AsSpan(_tried, padded);
        TKernel.Evaluate<TTable>(x, weights, _scales.AsSpan(_tried, padded), _inverse, errors, _squares.AsSpan(_tried, padded));
        Vector128<float> least = Vector128.Create(_best);
        foreach (Vector128<float> error in MemoryMarshal.Cast<float, Vector128<float>>(errors)) least = Vector128.MinNative(least, error);
        least = Vector128.MinNative(least, Vector128.Shuffle(least, Vector128.Create(2, 3, 0, 1)));
        _best = float.MinNative(least[0], least[1]);
        _tried = _queued;
    }

    private bool IsNegative(int point) => _scales[point] < 0;

    /// <summary>Goes on outwards until what becomes 0, and inwards until cutting off, costs more than the best scale known.</summary>
    private void Spread(int inner, int outer, ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        bool negative = IsNegative(inner);
        while (_indices[outer] < set.Count(negative) - 1 && Lost(x, weights, MathF.Abs(_scales[outer])) < Limit)
        {
            int from = _queued, index = _indices[outer], high = Math.Max(First(negative), set.Floor((double)_absmax * TTable.Largest, negative));
            float multiple = MathF.Abs(_scales[outer]) * _inverse;
            for (int i = 0; i < Batch && index < high; i++)
            {
                multiple = SearchGrid<TTable>.Above(multiple);
                index = Math.Clamp(set.Near(_absmax * multiple, negative), index + 1, high);
                Queue(index, negative);
            }

            if (_queued == from) break;
            Evaluate(x, weights);
            Open(outer, from, _queued - 1, _queued - 1);
            outer = _queued - 1;
        }

        while (MathF.Abs(_scales[inner]) * _inverse > Lowest(x, weights))
        {
            int from = _queued, index = _indices[inner], low = First(negative);
            float multiple = MathF.Abs(_scales[inner]) * _inverse;
            for (int i = 0; i < Batch && index > low; i++)
            {
                multiple = SearchGrid<TTable>.Below(multiple);
                index = Math.Clamp(set.Near(_absmax * multiple, negative), low, index - 1);
                Queue(index, negative);
            }

            if (_queued == from) break;
            Evaluate(x, weights);
            for (; from < _queued; from++)
            {
                Open(from, inner, inner, inner);
                inner = from;
            }
        }
    }

    private int First(bool negative) => set.Floor((double)_absmax * SearchGrid<TTable>.Smallest, negative);

    /// <summary>What becomes 0 under a scale stays 0 under every larger one: its share of the error, in units of absmax^2.</summary>
    private float Lost(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float magnitude)
    {
        Vector<float> bound = new(magnitude * TTable.Zero), scale = new(_inverse), sum = Vector<float>.Zero;
        ReadOnlySpan<Vector<float>> values = MemoryMarshal.Cast<float, Vector<float>>(x), factors = MemoryMarshal.Cast<float, Vector<float>>(weights);
        for (int i = 0; i < values.Length; i++)
        {
            Vector<float> y = values[i] * scale, square = y * y;
            if (!factors.IsEmpty) square *= factors[i];
            sum += Vector.ConditionalSelect(Vector.LessThan(Vector.Abs(values[i]), bound), square, Vector<float>.Zero);
        }

        return Vector.Sum(sum);
    }

    /// <summary>A multiple of absmax below which cutting off some value costs more than the best scale known.</summary>
    private float Lowest(ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        const float safety = 0.9999f;
        float root = MathF.Sqrt(Limit);
        if (weights.IsEmpty) return (safety - root) / TTable.Top;
        Vector<float> most = Vector<float>.Zero, scale = new(_inverse), limit = new(root);
        for (int i = 0; i < x.Length; i += Vector<float>.Count)
        {
            // Where the weight is 0, padding, the difference is no number or negative.
            Vector<float> rest = (Vector.Abs(new Vector<float>(x[i..])) * scale) - (limit / Vector.SquareRoot(new Vector<float>(weights[i..])));
            most = Vector.ConditionalSelect(Vector.GreaterThan(rest, most), rest, most);
        }

        float largest = 0f;
        for (int lane = 0; lane < Vector<float>.Count; lane++) largest = MathF.Max(largest, most[lane]);
        return largest * safety / TTable.Top;
    }

    /// <summary>Opens what lies between neighbours in a chain of points of one sign: near, those from first to before end,
    /// far. Magnitudes never fall.</summary>
    private void Open(int near, int first, int end, int far)
    {
        if (_openCount + end - first + 1 >= _open.Length) Array.Resize(ref _open, 2 * (_openCount + end - first + 1));
        Interval[] open = _open;
        float limit = Limit, scale = _scales[near], error = _errors[near], square = _squares[near];
        int count = _openCount, index = _indices[near];
        for (int i = first; i <= end; i++)
        {
            int next = i < end ? i : far, nextIndex = _indices[next];
            float nextScale = _scales[next], nextError = _errors[next], bound = LowerBound((nextScale - scale) * _inverse, square, error, nextError);
            // No branch: which intervals stay open cannot be foreseen.
            open[count] = new Interval(near, next, bound);
            count += Convert.ToInt32((bound < limit) & (nextIndex - index > 1));
            (near, index, scale, error, square) = (next, nextIndex, nextScale, nextError, _squares[next]);
        }

        _openCount = count;
    }

    /// <summary>No scale between two has a smaller error, rounding apart.</summary>
    private static float LowerBound(float width, float square, float first, float second)
    {
        float difference = MathF.Abs(second - first);
        // A parabola that falls or rises all the way has its minimum at an end: just what a wider bow gives.
        float bow = float.MaxNative(float.MaxNative(square * width * width, difference), 1e-30f);
        return (0.5f * (first + second)) - (0.25f * (bow + (difference * difference / bow)));
    }

    /// <summary>One round: up to as many open intervals as there are lanes, each cut into equal parts.</summary>
    private void Split(ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        int kept = 0;
        for (int i = 0; i < _openCount; i++)
        {
            if (_open[i].Bound < Limit) _open[kept++] = _open[i];
        }

        _openCount = kept;
        if (kept == 0) return;
        int taken = Math.Min(kept, Batch), parts = Batch / taken, first = _queued;
        _openCount -= taken;
        for (int i = 0; i < taken; i++)
        {
            Interval interval = _taken[i] = _open[_openCount + i];
            int near = _indices[interval.Near], gap = _indices[interval.Far] - near;
            _cuts[i] = Math.Min(parts, gap - 1);
            for (int cut = 1; cut <= _cuts[i]; cut++) Queue(near + (gap * cut / (_cuts[i] + 1)), IsNegative(interval.Near));
        }

        Evaluate(x, weights);
        for (int i = 0; i < taken; i++)
        {
            Open(_taken[i].Near, first, first + _cuts[i], _taken[i].Far);
            first += _cuts[i];
        }
    }

    /// <summary>The best of what was tried, by the definition's sums, and what its codes make of it.</summary>
    private ScaleChoice Choose(ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        float limit = Limit;
        int count = 0;
        for (int i = 0; i < _tried; i++)
        {
            // Few are, so four are passed over at once.
            while (i + 4 <= _tried && !Vector128.LessThanAny(Vector128.Create(_errors, i), Vector128.Create(limit))) i += 4;
            if (i == _tried) break;
            if (!(_errors[i] < limit) || (count > 0 && _scales[count - 1] == _scales[i])) continue;
            _indices[count] = _indices[i];
            _scales[count++] = _scales[i];
        }

        if (count == 1 && !TSet.Refines) return new ScaleChoice(0, _indices[0], IsNegative(0), _scales[0]);
        ScaleChoice best = ScaleChoice.None;
        Span<float> values = _values.AsSpan(0, x.Length), again = _again.AsSpan(0, x.Length);
        for (int i = 0; i < count; i++)
        {
            float scale = _scales[i];
            TKernel.Decode<TTable>(x, 1f / scale, again);
            var choice = new ScaleChoice(BlockError.Of(x, weights, again, scale), _indices[i], scale < 0, scale);
            if (!choice.IsBetterThan(best)) continue;
            best = choice;
            again.CopyTo(values);
        }

        if (!TSet.Refines) return best;
        float refined = (float)BlockError.LeastSquares(x, weights, values);
        if (!BlockError.IsScale(best, refined, _absmax * TTable.Largest)) return best;
        TKernel.Decode<TTable>(x, 1f / refined, again);
        double error = BlockError.Of(x, weights, again, refined);
        return error < best.Error ? best with { Error = error, Scale = refined } : best;
    }

    /// <param name="Near">The point with the smaller magnitude.</param>
    /// <param name="Bound">No error between the two points is below it.</param>
    private readonly record struct Interval(int Near, int Far, float Bound);
}
