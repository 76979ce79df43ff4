using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>
/// How much each input channel of each linear weight is used: the sum of squared activations over all tokens that the weight
/// saw. Sums are made in float64, token by token, so they do not depend on batches or threads.
/// </summary>
internal sealed class ImportanceRecorder
{
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>The weights seen so far, in that order.</summary>
    public IEnumerable<ChannelImportance> Channels =>
        _entries.Select(entry => new ChannelImportance(entry.Key, entry.Value.Sums, entry.Value.Tokens));

    /// <summary>Adds the activations that a weight is multiplied with.</summary>
    public void Add(WeightUse weight, TokenMatrix x)
    {
        // Experts that share a tensor have no weight of their own that could be quantized.
        if (weight.Index is not null) return;
        if (!_entries.TryGetValue(weight.Name, out Entry? entry)) _entries[weight.Name] = entry = new Entry(new double[weight.Columns]);
        entry.Tokens += x.Rows;
        for (int row = 0; row < x.Rows; row++)
        {
            ReadOnlySpan<float> values = x.Row(row);
            for (int i = 0; i < values.Length; i++) entry.Sums[i] += (double)values[i] * values[i];
        }
    }

    private sealed class Entry(double[] sums)
    {
        public double[] Sums { get; } = sums;

        public long Tokens { get; set; }
    }
}
