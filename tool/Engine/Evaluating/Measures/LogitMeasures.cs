using System.Numerics;
using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Measures;

/// <summary>
/// Compares two models' next-token distributions while their logits arrive, a run of the vocabulary at a time, so that logits
/// of the whole vocabulary are never in memory. Sums are made in float64; the order of runs is the vocabulary's.
/// </summary>
/// <param name="targets">The token that follows each position; -1 where a context ends.</param>
internal sealed class LogitMeasures(int[] targets)
{
    /// <summary>How many best tokens are compared.</summary>
    public const int Best = 5;

    private readonly Side[] _reference = Sides(targets.Length), _quantized = Sides(targets.Length);
    private readonly double[] _crossSums = new double[targets.Length];

    /// <summary>Adds logits of the vocabulary's tokens <paramref name="first"/> and after, for all positions.</summary>
    /// <param name="reference">[positions, run].</param>
    /// <param name="quantized">[positions, run].</param>
    public void Add(int first, TokenMatrix reference, TokenMatrix quantized, int threads) => RowBlocks.ForEach(threads, targets.Length, position =>
    {
        ReadOnlySpan<float> a = reference.Row(position), b = quantized.Row(position);
        Side p = _reference[position], q = _quantized[position];
        _crossSums[position] *= p.Raise(Largest(a));
        q.Raise(Largest(b));
        AddPowers(a, b, p, q, ref _crossSums[position]);
        p.Rank(first, a);
        q.Rank(first, b);
        int target = targets[position] - first;
        if (target < 0 || target >= a.Length) return;
        p.Target = a[target];
        q.Target = b[target];
    });

    /// <summary>What was measured, one value per position; of targets, one per position that has one.</summary>
    public LogitComparison Result()
    {
        int positions = targets.Length;
        var result = new LogitComparison(new double[positions], new bool[positions], new double[positions]);
        for (int i = 0; i < positions; i++)
        {
            Side p = _reference[i], q = _quantized[i];
            result.Divergence[i] = (_crossSums[i] / p.Sum) - p.LogNormalizer + q.LogNormalizer;
            result.SameBest[i] = p.BestTokens[0] == q.BestTokens[0];
            result.SharedBest[i] = p.BestTokens.Intersect(q.BestTokens).Count() / (double)p.BestTokens.Count;
            if (targets[i] < 0) continue;
            double reference = p.Target - p.LogNormalizer, quantized = q.Target - q.LogNormalizer;
            result.ReferenceLogs.Add(reference);
            result.QuantizedLogs.Add(quantized);
        }

        return result;
    }

    private static Side[] Sides(int count) => [.. Enumerable.Range(0, count).Select(_ => new Side())];

    private static float Largest(ReadOnlySpan<float> values)
    {
        float largest = float.NegativeInfinity;
        foreach (float value in values) largest = MathF.Max(largest, value);
        return largest;
    }

    /// <summary>Adds e^(a - max), e^(b - max) and e^(a - max) (a - b) to the sums.</summary>
    private static void AddPowers(ReadOnlySpan<float> a, ReadOnlySpan<float> b, Side p, Side q, ref double crossSum)
    {
        Vector<double> maxA = new(p.Max), maxB = new(q.Max), sumA = default, sumB = default, cross = default;
        int i = 0;
        for (; i <= a.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(a[i..]), out Vector<double> a0, out Vector<double> a1);
            Vector.Widen(new Vector<float>(b[i..]), out Vector<double> b0, out Vector<double> b1);
            Vector<double> p0 = Vector.Exp(a0 - maxA), p1 = Vector.Exp(a1 - maxA);
            sumA += p0 + p1;
            sumB += Vector.Exp(b0 - maxB) + Vector.Exp(b1 - maxB);
            cross += (p0 * (a0 - b0)) + (p1 * (a1 - b1));
        }

        p.Sum += Vector.Sum(sumA);
        q.Sum += Vector.Sum(sumB);
        crossSum += Vector.Sum(cross);
        for (; i < a.Length; i++)
        {
            double power = Math.Exp((double)a[i] - p.Max);
            p.Sum += power;
            q.Sum += Math.Exp((double)b[i] - q.Max);
            crossSum += power * ((double)a[i] - b[i]);
        }
    }

    /// <summary>One model's distribution at one position.</summary>
    private sealed class Side
    {
        private readonly List<(float Logit, int Token)> _best = new(Best + 1);

        public double Max { get; private set; } = double.NegativeInfinity;

        /// <summary>The sum of e^(logit - max).</summary>
        public double Sum { get; set; }

        /// <summary>The logit of the token that follows.</summary>
        public double Target { get; set; }

        public double LogNormalizer => Max + Math.Log(Sum);

        /// <summary>Best first; of equal logits the lower token.</summary>
        public List<int> BestTokens => [.. _best.Select(item => item.Token)];

        /// <summary>Moves the maximum up.</summary>
        /// <returns>What sums of powers have been multiplied with.</returns>
        public double Raise(double largest)
        {
            if (!(largest > Max)) return 1;
            double factor = double.IsNegativeInfinity(Max) ? 0 : Math.Exp(Max - largest);
            Max = largest;
            Sum *= factor;
            return factor;
        }

        public void Rank(int first, ReadOnlySpan<float> logits)
        {
            float least = _best.Count < Best ? float.NegativeInfinity : _best[^1].Logit;
            for (int i = 0; i < logits.Length; i++)
            {
                if (logits[i] <= least && _best.Count == Best) continue;
                float logit = logits[i];
                int place = _best.FindIndex(item => logit > item.Logit);
                _best.Insert(place < 0 ? _best.Count : place, (logit, first + i));
                if (_best.Count > Best) _best.RemoveAt(Best);
                if (_best.Count == Best) least = _best[^1].Logit;
            }
        }
    }
}
