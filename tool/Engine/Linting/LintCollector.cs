using Bnb.Formats.Primitives;

namespace Bnb.Engine.Linting;

/// <summary>Gathers what one consumer stumbles over: one finding for each rule, with all its tensors.</summary>
internal sealed class LintCollector
{
    private readonly Dictionary<(string Rule, LintLevel Level), (LintRule Rule, string? Text, List<string> Tensors)> _found = [];

    /// <summary>Adds a tensor to the finding of a rule.</summary>
    public void Add(LintRule rule, LintLevel level, string tensor) => Entry(rule, level, null).Add(tensor);

    /// <summary>Adds a finding about the whole checkpoint.</summary>
    public void AddWhole(LintRule rule, LintLevel level, string text) => Entry(rule, level, text);

    public IReadOnlyList<LintFinding> Findings =>
    [
        .. _found.OrderByDescending(static entry => entry.Key.Level).ThenBy(static entry => entry.Key.Rule, StringComparer.Ordinal)
            .Select(static entry => new LintFinding(
                entry.Key.Rule, entry.Key.Level, Text(entry.Value.Rule, entry.Value.Text, entry.Value.Tensors), entry.Value.Tensors, entry.Value.Rule.Action)),
    ];

    private static string Text(LintRule rule, string? text, List<string> tensors) =>
        text ?? (tensors.Count == 1 ? $"{rule.Title}: {DisplayText.Escape(tensors[0])}" : $"{rule.Title}: {tensors.Count} tensors, first {DisplayText.Escape(tensors[0])}");

    private List<string> Entry(LintRule rule, LintLevel level, string? text)
    {
        if (!_found.TryGetValue((rule.Id, level), out var entry)) _found[(rule.Id, level)] = entry = (rule, text, []);
        return entry.Tensors;
    }
}
