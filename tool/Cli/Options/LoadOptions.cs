using System.CommandLine;
using System.CommandLine.Parsing;
using Bnb.Engine.Architectures;
using Bnb.Engine.Policy;
using Bnb.Engine.Quantizing;

namespace Bnb.Cli.Options;

/// <summary>The options of <c>quantize</c> that say who is to load the output.</summary>
internal sealed class LoadOptions
{
    private static readonly Dictionary<string, LoadTarget> Words = Enum.GetValues<LoadTarget>().ToDictionary(LoadTargets.Name);

    /// <summary><c>--experts</c>.</summary>
    public Option<ExpertChoice> Experts { get; } = new("--experts")
    {
        Description = "Experts: pack those stored one by one, which transformers 5 reads as int4 only; keep them in the source's type; or split, which also divides those stored as one tensor and needs --loads-in (default: pack)",
        HelpName = "WHAT",
        CustomParser = Choice.Parser(new Dictionary<string, ExpertChoice> { ["pack"] = ExpertChoice.Pack, ["keep"] = ExpertChoice.Keep, ["split"] = ExpertChoice.Split }),
    };

    /// <summary><c>--loads-in</c>.</summary>
    public Option<IReadOnlyList<LoadTarget>> LoadsIn { get; } = new("--loads-in")
    {
        Description = "Loaders that must read the output, with commas between: transformers4, transformers5, diffusers, vllm, sglang, peft; what one of them cannot load is adapted or refused (default: none)",
        HelpName = "LIST",
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = ParseTargets,
    };

    /// <summary>What becomes of experts when the option says it; null: as the loaders want it.</summary>
    public ExpertChoice? ExpertsOf(ParseResult parsed) =>
        parsed.GetResult(Experts) is { Implicit: false } ? parsed.GetValue(Experts) : null;

    /// <summary>The wanted loaders, none when not given.</summary>
    public IReadOnlyList<LoadTarget> LoadsInOf(ParseResult parsed) => parsed.GetValue(LoadsIn) ?? [];

    /// <summary>Words of loaders with commas between.</summary>
    public static IReadOnlyList<LoadTarget> ParseTargets(ArgumentResult result)
    {
        List<LoadTarget> targets = [];
        foreach (string word in result.Tokens[^1].Value.Split(','))
        {
            if (Words.TryGetValue(word.Trim(), out LoadTarget target)) targets.Add(target);
            else
            {
                string? meant = Synonyms.Value(word, Words.Keys);
                result.AddError($"{(result.Parent as OptionResult)?.IdentifierToken?.Value} does not know '{word.Trim()}'; it takes {string.Join(", ", Words.Keys)}, with commas between{(meant is null ? "" : $"; did you mean {meant}?")}");
            }
        }

        return [.. targets.Distinct()];
    }
}
