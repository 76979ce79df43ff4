using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Metrics;

/// <summary>The sums that <see cref="ErrorStats"/> needs over one stretch of pairs.</summary>
internal readonly struct ErrorSums
{
    public double SquaredError { get; private init; }

    public double SquaredReference { get; private init; }

    public double SquaredActual { get; private init; }

    public double Products { get; private init; }

    public double AbsoluteError { get; private init; }

    public double MaxAbsoluteError { get; private init; }

    /// <summary>
    /// Sums over all pairs. Eight partial sums by index modulo 8, then those together, in float64 and nothing fused, so the
    /// bits are the same on every machine. Meaningless when not <paramref name="finite"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static ErrorSums Of(ReadOnlySpan<float> reference, ReadOnlySpan<float> actual, out bool finite)
    {
        ref float references = ref MemoryMarshal.GetReference(reference);
        ref float actuals = ref MemoryMarshal.GetReference(actual);
        Lanes low = default, high = default;
        Vector256<int> magnitude = default, mask = Vector256.Create(int.MaxValue);
        int i = 0;
        for (; i <= reference.Length - 8; i += 8)
        {
            // Inside the spans, which are of equal length.
            Vector256<float> expected = Vector256.LoadUnsafe(ref references, (nuint)i);
            Vector256<float> found = Vector256.LoadUnsafe(ref actuals, (nuint)i);
            magnitude = Vector256.Max(magnitude, expected.AsInt32() & mask);
            magnitude = Vector256.Max(magnitude, found.AsInt32() & mask);
            (Vector256<double> expectedLow, Vector256<double> expectedHigh) = Vector256.Widen(expected);
            (Vector256<double> foundLow, Vector256<double> foundHigh) = Vector256.Widen(found);
            low.Add(expectedLow, foundLow);
            high.Add(expectedHigh, foundHigh);
        }

        Lanes sums = Lanes.Join(low, high);
        finite = !Vector256.GreaterThanAny(magnitude, Vector256.Create(0x7F7F_FFFF));
        for (; i < reference.Length; i++)
        {
            finite &= float.IsFinite(reference[i]) && float.IsFinite(actual[i]);
            // The other lanes add zeros, which change nothing.
            sums.Add(Vector256.CreateScalar((double)reference[i]), Vector256.CreateScalar((double)actual[i]));
        }

        return sums.Total();
    }

    private struct Lanes
    {
        private Vector256<double> _squaredError;
        private Vector256<double> _squaredReference;
        private Vector256<double> _squaredActual;
        private Vector256<double> _products;
        private Vector256<double> _absoluteError;
        private Vector256<double> _maxAbsoluteError;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(Vector256<double> expected, Vector256<double> found)
        {
            Vector256<double> error = found - expected, size = Vector256.Abs(error);
            _squaredError += error * error;
            _squaredReference += expected * expected;
            _squaredActual += found * found;
            _products += expected * found;
            _absoluteError += size;
            _maxAbsoluteError = Larger(_maxAbsoluteError, size);
        }

        public static Lanes Join(in Lanes low, in Lanes high) => new()
        {
            _squaredError = low._squaredError + high._squaredError,
            _squaredReference = low._squaredReference + high._squaredReference,
            _squaredActual = low._squaredActual + high._squaredActual,
            _products = low._products + high._products,
            _absoluteError = low._absoluteError + high._absoluteError,
            _maxAbsoluteError = Larger(low._maxAbsoluteError, high._maxAbsoluteError),
        };

        public readonly ErrorSums Total()
        {
            double largest = 0;
            for (int lane = 0; lane < 4; lane++) largest = Math.Max(largest, _maxAbsoluteError[lane]);
            return new ErrorSums
            {
                SquaredError = Sum(_squaredError),
                SquaredReference = Sum(_squaredReference),
                SquaredActual = Sum(_squaredActual),
                Products = Sum(_products),
                AbsoluteError = Sum(_absoluteError),
                MaxAbsoluteError = largest,
            };
        }

        private static Vector256<double> Larger(Vector256<double> a, Vector256<double> b) =>
            Vector256.ConditionalSelect(Vector256.GreaterThan(b, a), b, a);

        // Written out: Vector256.Sum may add in another order elsewhere.
        private static double Sum(Vector256<double> lanes) => (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    }
}
