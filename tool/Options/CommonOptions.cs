using System.CommandLine;

namespace Bnb.Tool.Options;

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

    public static Option<string?> LogFile() => new("--log-file")
    {
        Description = "Also write a full log with time stamps to this file (default: none)",
        HelpName = "PATH",
        CustomParser = Choice.FilePath,
    };

    /// <summary>The option's value, or <paramref name="fallback"/> when it is not on the command line.</summary>
    public static T ValueOr<T>(this ParseResult parsed, Option<T> option, T fallback) =>
        parsed.GetResult(option) is { Implicit: false } ? parsed.GetRequiredValue(option) : fallback;
}
