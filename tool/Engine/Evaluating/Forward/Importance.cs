using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>
/// How much each input channel of each linear weight is used: the sum of squared activations over all tokens that the weight
/// saw. Sums are made in float64, token by token, so they do not depend on batches or threads.
/// </summary>
internal sealed class Importance
{
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>The weights seen so far, in that order.</summary>
    public IEnumerable<ChannelImportance> Channels =>
        _entries.Select(entry => new ChannelImportance(entry.Key, entry.Value.Index, entry.Value.Sums, entry.Value.Tokens));

    /// <summary>Adds the activations that a weight is multiplied with.</summary>
    public void Add(WeightUse weight, TokenMatrix x)
    {
        string key = weight.Index is { } index ? $"{weight.Name}[{index}]" : weight.Name;
        if (!_entries.TryGetValue(key, out Entry? entry)) _entries[key] = entry = new Entry(weight.Index, new double[weight.Columns]);
        entry.Tokens += x.Rows;
        for (int row = 0; row < x.Rows; row++)
        {
            ReadOnlySpan<float> values = x.Row(row);
            for (int i = 0; i < values.Length; i++) entry.Sums[i] += (double)values[i] * values[i];
        }
    }

    private sealed class Entry(int? index, double[] sums)
    {
        public int? Index { get; } = index;

        public double[] Sums { get; } = sums;

        public long Tokens { get; set; }
    }
}

/// <summary>Squared activations of one weight's inputs.</summary>
/// <param name="Name">The weight's full name, with the expert's number in brackets where several share a tensor.</param>
/// <param name="Expert">That number, or null.</param>
/// <param name="Sums">One per input channel.</param>
/// <param name="Tokens">How many tokens are in the sums.</param>
internal sealed record ChannelImportance(string Name, int? Expert, double[] Sums, long Tokens);
