using System.CommandLine;
using System.CommandLine.Parsing;
using Bnb.Engine.Recipes;

namespace Bnb.Cli.Options;

/// <summary><c>--override</c>.</summary>
internal static class OverrideOptions
{
    /// <summary>Forms of single tensors, for the commands that take them.</summary>
    public static Option<string[]> Create() => new("--override")
    {
        Description = "Another form for tensors that match: PATTERN=keep, or PATTERN=nf4/32 for another block size; a glob or re: and a regular expression; repeatable, the last match wins (default: none)",
        HelpName = "PATTERN=FORM",
        Arity = ArgumentArity.OneOrMore,
    };

    /// <summary>Adds an error for each override that is none.</summary>
    public static void Validate(CommandResult result, Option<string[]> overrides)
    {
        if (result.GetResult(overrides) is not { Implicit: false } given) return;
        foreach (Token token in given.Tokens)
        {
            try
            {
                RecipeOverride.Parse(token.Value);
            }
            catch (FormatException error)
            {
                result.AddError($"--override: {error.Message}");
            }
        }
    }

    /// <summary>The overrides in their order.</summary>
    public static IReadOnlyList<RecipeOverride> Of(ParseResult parsed, Option<string[]> overrides) =>
        [.. (parsed.GetValue(overrides) ?? []).Select(RecipeOverride.Parse)];
}
