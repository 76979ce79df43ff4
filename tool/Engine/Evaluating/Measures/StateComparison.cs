using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Measures;

/// <summary>How far a hidden state of the quantized model is from the reference's.</summary>
/// <param name="State">0 after the embedding, i after layer i; the last one after the final norm.</param>
/// <param name="Cosine">The mean over tokens of the cosine of the angle between both.</param>
/// <param name="RelativeError">|quantized - reference| / |reference| over all tokens together.</param>
internal sealed record StateComparison(int State, double Cosine, double RelativeError)
{
    /// <summary>Compares all tokens; sums are made in float64.</summary>
    public static StateComparison Of(int state, TokenMatrix reference, TokenMatrix quantized)
    {
        double cosines = 0, errors = 0, squares = 0;
        for (int token = 0; token < reference.Rows; token++)
        {
            ReadOnlySpan<float> a = reference.Row(token), b = quantized.Row(token);
            double product = 0, squareA = 0, squareB = 0, error = 0;
            for (int i = 0; i < a.Length; i++)
            {
                product += (double)a[i] * b[i];
                squareA += (double)a[i] * a[i];
                squareB += (double)b[i] * b[i];
                error += ((double)b[i] - a[i]) * ((double)b[i] - a[i]);
            }

            double lengths = Math.Sqrt(squareA) * Math.Sqrt(squareB);
            cosines += lengths == 0 ? (squareA == squareB ? 1 : 0) : Math.Min(1, product / lengths);
            errors += error;
            squares += squareA;
        }

        return new StateComparison(state, cosines / reference.Rows, squares == 0 ? 0 : Math.Sqrt(errors / squares));
    }

    /// <summary>
    /// What each state adds to the damage: the growth of the squared relative error over the state before, as a share of all
    /// growth. 0 where the error shrinks; all 0 where nothing grows.
    /// </summary>
    public static IReadOnlyList<double> Shares(IReadOnlyList<StateComparison> states)
    {
        double before = 0;
        var growth = new List<double>();
        foreach (StateComparison state in states)
        {
            double square = state.RelativeError * state.RelativeError;
            growth.Add(Math.Max(0, square - before));
            before = square;
        }

        double sum = growth.Sum();
        return [.. growth.Select(value => sum == 0 ? 0 : value / sum)];
    }
}
