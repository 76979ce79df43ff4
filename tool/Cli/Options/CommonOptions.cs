using System.CommandLine;
using Bnb.Engine.Policy;

namespace Bnb.Cli.Options;

/// <summary>
/// Options that several commands take, with one meaning. No option has a default of System.CommandLine's own: its help would
/// print the value as .NET does; the descriptions say the defaults.
/// </summary>
internal static class CommonOptions
{
    public static Option<bool> Json() => new("--json") { Description = "Print machine-readable JSON lines on stdout instead of tables (default: off)" };

    public static Option<Verbosity> VerbosityLevel()
    {
        var option = new Option<Verbosity>("--verbosity", "-v")
        {
            Description = "How much to say on stderr: quiet, normal, detailed or diagnostic (default: normal)",
            HelpName = "LEVEL",
            CustomParser = Choice.Parser(new Dictionary<string, Verbosity>
            {
                ["quiet"] = Verbosity.Quiet,
                ["normal"] = Verbosity.Normal,
                ["detailed"] = Verbosity.Detailed,
                ["diagnostic"] = Verbosity.Diagnostic,
            }),
        };
        return option;
    }

    public static Option<long> MaxShardSize() => new("--max-shard-size")
    {
        Description = "Largest output file, for example 5GB or 500MB (default: 5GB)",
        HelpName = "SIZE",
        CustomParser = Choice.Size,
    };

    public static Option<int> Threads() => new("--threads")
    {
        Description = "Worker threads; the result does not depend on it (default: one per processor)",
        HelpName = "N",
        CustomParser = Choice.Number(1, 1024),
    };

    public static Option<long> MaxMemory() => new("--max-memory")
    {
        Description = "Ceiling for buffers; large tensors are worked on in pieces (default: 256MiB)",
        HelpName = "SIZE",
        CustomParser = Choice.Size,
    };

    public static Option<bool> Overwrite() => new("--overwrite") { Description = "Replace an existing output folder; it stays as it was until the new one is complete (default: off)" };

    public static Option<bool> Restart() => new("--restart") { Description = "Throw away what an interrupted run left in the staging folder instead of going on with it (default: off)" };

    public static Option<bool> NoChecksums() => new("--no-checksums")
    {
        Description = "Write no SHA-256 of the weight files, to save the time: verify --manifest cannot check them, and an interrupted run begins anew (default: off)",
    };

    public static Option<bool> FollowSymlinks() => new("--follow-symlinks") { Description = "Copy side files that are links out of the source folder (default: off)" };

    /// <summary>The option's value, or <paramref name="fallback"/> when it is not on the command line.</summary>
    public static T ValueOr<T>(this ParseResult parsed, Option<T> option, T fallback) =>
        parsed.GetResult(option) is { Implicit: false } ? parsed.GetRequiredValue(option) : fallback;

    public static Option<bool> UpdateCard() => new("--update-card")
    {
        Description = "Also write the figures into the README.md of QUANTIZED, and its new hash into bnb-manifest.json; nothing when the run fails (default: off)",
    };

    public static Option<string?> LogFile() => new("--log-file")
    {
        Description = "Also write a full log with time stamps to this file (default: none)",
        HelpName = "PATH",
        CustomParser = Choice.FilePath,
    };

    /// <summary>A glob, or <c>re:</c> and a regular expression.</summary>
    public static Option<string[]> Pattern(string name, string description) =>
        new(name) { Description = description, HelpName = "PATTERN", Arity = ArgumentArity.OneOrMore };

    /// <summary>The command as a shell takes it again, with what a recipe file said in place.</summary>
    public static string CommandLine(ParseResult parsed) =>
        "dotnet bnb " + string.Join(' ', parsed.Tokens.Select(token => Quoted(token.Value)));

    private static string Quoted(string word) => word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || "-_./:=,%@+~".Contains(c, StringComparison.Ordinal))
        ? word
        : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    /// <summary>--include and --exclude as they stand on the command line: the last match wins, so their order matters.</summary>
    public static IReadOnlyList<PatternRule> PatternsInOrder(ParseResult parsed)
    {
        var patterns = new List<PatternRule>();
        bool? include = null;
        foreach (var token in parsed.Tokens)
        {
            if (token.Type == System.CommandLine.Parsing.TokenType.Option)
                include = token.Value switch { "--include" => true, "--exclude" => false, _ => null };
            else if (token.Type == System.CommandLine.Parsing.TokenType.Argument && include is { } which)
                patterns.Add(new PatternRule(which, token.Value));
            // One value each: what follows the value may be SOURCE.
            if (token.Type == System.CommandLine.Parsing.TokenType.Argument) include = null;
        }

        return patterns;
    }
}
