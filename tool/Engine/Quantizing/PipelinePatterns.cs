using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Recipes;
using Bnb.Formats.Checkpoints;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// Which patterns concern which component of a pipeline: a component gets those that match one of its tensors. A pattern that
/// matches none of any goes to the first, which refuses it.
/// </summary>
internal sealed class PipelinePatterns(IReadOnlyList<PipelineComponent> components)
{
    private readonly Dictionary<string, bool> _matchesAny = new(StringComparer.Ordinal);

    /// <summary>Inclusions and exclusions, in their order.</summary>
    public IReadOnlyList<PatternRule> For(PipelineComponent component, IReadOnlyList<PatternRule> rules) =>
        [.. rules.Where(rule => Concerns(component, rule.Glob))];

    /// <summary>Overrides, in their order.</summary>
    public IReadOnlyList<RecipeOverride> For(PipelineComponent component, IReadOnlyList<RecipeOverride> rules) =>
        [.. rules.Where(rule => Concerns(component, rule.Pattern))];

    private bool Concerns(PipelineComponent component, string text)
    {
        NamePattern pattern;
        try
        {
            pattern = new NamePattern(text);
        }
        catch (ArgumentException)
        {
            // Refused where it is compiled to be used.
            return true;
        }

        if (!_matchesAny.TryGetValue(text, out bool matches))
            _matchesAny[text] = matches = components.Any(one => Matches(pattern, one));
        return matches ? Matches(pattern, component) : component == components[0];
    }

    private static bool Matches(NamePattern pattern, PipelineComponent component) => component.Checkpoint.Tensors.Any(tensor =>
        pattern.IsMatch(tensor.Name) || (ModuleName.PathOfWeight(tensor.Name) is { } module && pattern.IsMatch(module)));
}
