using Bnb.Engine.Policy;
using Bnb.Formats.Checkpoints;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// Which patterns concern which component of a pipeline: a component gets those that match one of its tensors, with the component's
/// name and a slash before it or without. A pattern that matches none of any goes to the first, which refuses it.
/// </summary>
/// <param name="models">What is asked of each component, without patterns of its own yet.</param>
internal sealed class PipelinePatterns(IReadOnlyList<(QuantizeRequest Request, Checkpoint Checkpoint)> models)
{
    private readonly Dictionary<string, IReadOnlySet<string>> _concerned = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IReadOnlyList<string>> _names = new(StringComparer.Ordinal);

    /// <summary>The request of a component with the patterns and overrides that concern it, in their order.</summary>
    public QuantizeRequest Own(QuantizeRequest request) => request with
    {
        Patterns = [.. request.Patterns.Where(rule => Concerned(rule.Glob).Contains(request.Component!))],
        Overrides = [.. request.Overrides.Where(rule => Concerned(rule.Pattern).Contains(request.Component!))],
    };

    private IReadOnlySet<string> Concerned(string pattern)
    {
        if (!_concerned.TryGetValue(pattern, out IReadOnlySet<string>? components))
            _concerned[pattern] = components = models.Where(model => Matches(pattern, model)).Select(static model => model.Request.Component!).ToHashSet(StringComparer.Ordinal);
        return components.Count > 0 ? components : new HashSet<string>([models[0].Request.Component!]);
    }

    private bool Matches(string text, (QuantizeRequest Request, Checkpoint Checkpoint) model)
    {
        NamePattern pattern;
        try
        {
            pattern = new NamePattern(text, model.Request.NamePrefix);
        }
        catch (ArgumentException)
        {
            // Refused where it is compiled to be used.
            return true;
        }

        return NamesOf(model).Any(pattern.IsMatchOfTensor);
    }

    /// <summary>The names that the component's plan decides by, which a packed or divided source does not hold.</summary>
    private IReadOnlyList<string> NamesOf((QuantizeRequest Request, Checkpoint Checkpoint) model)
    {
        if (!_names.TryGetValue(model.Request.Component!, out IReadOnlyList<string>? names))
            _names[model.Request.Component!] = names = [.. QuantizePlan.Dense(model.Request, model.Checkpoint, ModelFactsReader.Read(model.Checkpoint.Config)).Select(static tensor => tensor.Name)];
        return names;
    }
}
