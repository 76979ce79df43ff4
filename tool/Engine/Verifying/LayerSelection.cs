using System.Globalization;
using Bnb.Engine.Errors;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Verifying;

/// <summary>Which layers are verified: --include and --exclude (last match wins), then an even --sample of the rest.</summary>
internal static class LayerSelection
{
    public static IReadOnlyList<LayerPlan> Apply(IReadOnlyList<LayerPlan> layers, VerifyRequest request)
    {
        var rules = request.Patterns.Select(rule => (rule.Include, Glob: new Glob(rule.Glob), rule.Glob.Length)).ToList();
        for (int i = 0; i < rules.Count; i++)
        {
            if (!layers.Any(layer => Matches(rules[i].Glob, layer))) throw Unmatched(request.Patterns[i].Glob);
        }

        // With only --include patterns nothing else is wanted; with an --exclude first everything is.
        bool wanted = rules.Count == 0 || !rules[0].Include;
        List<LayerPlan> chosen = [.. layers.Where(layer => rules.Aggregate(wanted, (keep, rule) => Matches(rule.Glob, layer) ? rule.Include : keep))];
        if (request.Sample is not { } sample) return chosen;

        int count = Count(sample, chosen.Count);
        // Evenly spread, so that a sample sees early, middle and late layers; the same ones every time.
        return [.. Enumerable.Range(0, count).Select(i => chosen[(int)((long)i * chosen.Count / count)])];
    }

    private static bool Matches(Glob glob, LayerPlan layer)
    {
        string name = layer.Weight.Name;
        return glob.IsMatch(name) || glob.IsMatch(ModuleName.WithoutWeight(name));
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

    private static UserErrorException Unmatched(string glob) =>
        new(ExitCode.Usage, "PATTERN-UNMATCHED", $"the pattern '{glob}' matches no quantized layer")
        {
            Action = "see the names with: dotnet bnb inspect",
        };
}
