using Bnb.Quant.Numerics;

namespace Bnb.Quant.Metrics;

/// <summary>
/// How far values are from a reference, gathered in any number of pieces. All sums are float64; the same calls in the same
/// order give the same bits on every machine.
/// </summary>
/// <remarks>
/// A pair with a NaN or an infinity on either side is counted in <see cref="NonFinite"/> and nowhere else. The metrics are 0/0
/// without pairs or with an all-zero reference; what they are then is said at each.
/// </remarks>
public sealed class ErrorStats
{
    private double _squaredError;
    private double _squaredReference;
    private double _squaredActual;
    private double _products;
    private double _absoluteError;

    /// <summary>Finite pairs.</summary>
    public long Count { get; private set; }

    /// <summary>Pairs of which at least one value is NaN or infinite.</summary>
    public long NonFinite { get; private set; }

    /// <summary>The largest |actual - reference|; 0 without pairs.</summary>
    public double MaxAbsoluteError { get; private set; }

    /// <summary>Position, over all pairs in the order added, of the first with <see cref="MaxAbsoluteError"/>; -1 while there
    /// is no finite pair.</summary>
    public long WorstIndex { get; private set; } = -1;

    /// <summary>Mean of |actual - reference|; 0 without pairs.</summary>
    public double MeanAbsoluteError => Count == 0 ? 0 : _absoluteError / Count;

    /// <summary>Root of the mean squared error; 0 without pairs.</summary>
    public double Rmse => Count == 0 ? 0 : Math.Sqrt(_squaredError / Count);

    /// <summary>Root of the mean squared reference; 0 without pairs.</summary>
    public double ReferenceRms => Count == 0 ? 0 : Math.Sqrt(_squaredReference / Count);

    /// <summary>sqrt(sum of squared errors / sum of squared references). An all-zero reference gives 0 when nothing differs,
    /// else infinity.</summary>
    public double RelativeRmse => _squaredError == 0 ? 0 : Math.Sqrt(_squaredError / _squaredReference);

    /// <summary>Signal to noise, 10 log10(sum of squared references / sum of squared errors), in dB. Infinite when nothing
    /// differs, minus infinite when something does from an all-zero reference.</summary>
    public double SnrDecibels =>
        _squaredError == 0 ? double.PositiveInfinity : 10 * Math.Log10(_squaredReference / _squaredError);

    /// <summary>Cosine of the angle between the two as vectors: 1 when both are all zero, 0 when one is.</summary>
    public double Cosine
    {
        get
        {
            if (_squaredReference == 0 || _squaredActual == 0) return _squaredReference == _squaredActual ? 1 : 0;
            double cosine = _products / Math.Sqrt(_squaredReference) / Math.Sqrt(_squaredActual);
            return Math.Clamp(cosine, -1, 1);
        }
    }

    /// <summary>Adds pairs. Exact but for the float64 additions: the products of two float32 are exact.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public void Add(ReadOnlySpan<float> reference, ReadOnlySpan<float> actual)
    {
        BlockGrid.CheckLength(nameof(actual), reference.Length, actual.Length);
        const int Stretch = 2048;
        for (int first = 0; first < reference.Length; first += Stretch)
        {
            int length = Math.Min(Stretch, reference.Length - first);
            ReadOnlySpan<float> expected = reference.Slice(first, length), found = actual.Slice(first, length);
            ErrorSums sums = ErrorSums.Of(expected, found, out bool finite);
            if (finite) Include(sums, length, expected, found);
            else AddOneByOne(expected, found);
        }
    }

    private void Include(in ErrorSums sums, int length, ReadOnlySpan<float> reference, ReadOnlySpan<float> actual)
    {
        if (sums.MaxAbsoluteError > MaxAbsoluteError || WorstIndex < 0)
        {
            int worst = 0;
            while (Math.Abs((double)actual[worst] - reference[worst]) != sums.MaxAbsoluteError) worst++;
            WorstIndex = Count + NonFinite + worst;
            MaxAbsoluteError = sums.MaxAbsoluteError;
        }

        Count += length;
        _squaredError += sums.SquaredError;
        _squaredReference += sums.SquaredReference;
        _squaredActual += sums.SquaredActual;
        _products += sums.Products;
        _absoluteError += sums.AbsoluteError;
    }

    private void AddOneByOne(ReadOnlySpan<float> reference, ReadOnlySpan<float> actual)
    {
        for (int i = 0; i < reference.Length; i++)
        {
            ErrorSums sums = ErrorSums.Of(reference.Slice(i, 1), actual.Slice(i, 1), out bool finite);
            if (finite) Include(sums, 1, reference.Slice(i, 1), actual.Slice(i, 1));
            else NonFinite++;
        }
    }

    /// <summary>Adds what another gathered, as if its pairs followed these. Merging the same parts in the same order gives the
    /// same bits, so parts may be gathered by any thread.</summary>
    public void Merge(ErrorStats other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.WorstIndex >= 0 && (WorstIndex < 0 || other.MaxAbsoluteError > MaxAbsoluteError))
        {
            WorstIndex = Count + NonFinite + other.WorstIndex;
            MaxAbsoluteError = other.MaxAbsoluteError;
        }

        Count += other.Count;
        NonFinite += other.NonFinite;
        _squaredError += other._squaredError;
        _squaredReference += other._squaredReference;
        _squaredActual += other._squaredActual;
        _products += other._products;
        _absoluteError += other._absoluteError;
    }
}
