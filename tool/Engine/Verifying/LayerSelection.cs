using System.Globalization;
using Bnb.Engine.Errors;
using Bnb.Engine.Policy;

namespace Bnb.Engine.Verifying;

/// <summary>Which layers are verified: --include and --exclude (last match wins), then an even --sample of the rest.</summary>
internal static class LayerSelection
{
    public static IReadOnlyList<LayerPlan> Apply(IReadOnlyList<LayerPlan> layers, VerifyRequest request)
    {
        var rules = request.Patterns.Select(rule => (rule.Include, Pattern: rule.Compile(request.NamePrefix))).ToList();
        for (int i = 0; i < rules.Count; i++)
        {
            if (!layers.Any(layer => rules[i].Pattern.IsMatchOfTensor(layer.Weight.Name)))
                throw UnmatchedPattern.Error(request.Patterns[i].Option, request.Patterns[i].Glob, "a pattern matches no quantized layer", layers.Select(layer => layer.Weight.Name));
        }

        // With only --include patterns nothing else is wanted; with an --exclude first everything is.
        bool wanted = rules.Count == 0 || !rules[0].Include;
        List<LayerPlan> chosen = [.. layers.Where(layer => rules.Aggregate(wanted, (keep, rule) => rule.Pattern.IsMatchOfTensor(layer.Weight.Name) ? rule.Include : keep))];
        if (request.Sample is not { } sample) return chosen;

        int count = Count(sample, chosen.Count);
        // Evenly spread, so that a sample sees early, middle and late layers; the same ones every time.
        return [.. Enumerable.Range(0, count).Select(i => chosen[(int)((long)i * chosen.Count / count)])];
    }

    private static int Count(string sample, int layers)
    {
        bool isShare = sample.EndsWith('%');
        if (!double.TryParse(isShare ? sample[..^1] : sample, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
            || value <= 0 || (isShare ? value > 100 : value != Math.Floor(value) || value > int.MaxValue))
        {
            throw new UserErrorException(ExitCode.Usage, "USAGE", $"--sample cannot take '{sample}'")
            {
                Action = "write a number of layers such as 20, or a share such as 5%",
            };
        }

        return (int)Math.Min(layers, isShare ? Math.Ceiling(layers * value / 100) : value);
    }
}
