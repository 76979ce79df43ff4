using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Output;

/// <summary>Why a staging folder cannot be used.</summary>
internal static class StagingErrors
{
    private const int NamesShown = 5;

    public static UserErrorException Foreign(string path, IReadOnlyCollection<string>? names = null) => new(
        ExitCode.CannotResume, "STAGING-FOREIGN",
        names is null ? "the staging folder exists and was not made by this tool" : "the staging folder holds files that are not ours")
    {
        File = path,
        Facts = names is null ? [] : [("holds", string.Join(", ", names.Take(NamesShown).Select(name => DisplayText.Escape(name))) + (names.Count > NamesShown ? ", ..." : ""))],
        Action = names is null ? "move it away, or choose another --output" : "move these files away, or choose another --output",
    };

    public static UserErrorException Locked(string path) => new(ExitCode.Locked, "LOCKED", "another run is writing this output")
    {
        File = path,
        Action = "wait for it to finish, or choose another --output",
    };

    public static UserErrorException OtherJournal(string path, JournalFolder journals) => new(
        ExitCode.CannotResume, "STAGING-PLAN", "the staging folder was left by another version of this tool, or its journal is damaged")
    {
        File = path,
        Facts = [.. journals.Strange.Take(NamesShown).Select(name => ("cannot read", name)), .. ToolsOf(journals)],
        Action = "use --restart to throw away what is there, or choose another --output",
    };

    /// <param name="earlier">Null when it is not there or cannot be read: then the journals say which tool it was.</param>
    public static UserErrorException OtherPlan(string path, PlanRecord? earlier, PlanRecord plan, JournalFolder journals) => new(
        ExitCode.CannotResume, "STAGING-PLAN", "the staging folder holds the beginning of another output")
    {
        File = path,
        Facts = earlier is not null && earlier.Hash != plan.Hash ? plan.DifferencesFrom(earlier) : [("plan", "another one"), .. ToolsOf(journals)],
        Action = "give the options of the run that was interrupted, or use --restart to throw away what is there",
    };

    public static UserErrorException OtherSource(string path) => new(
        ExitCode.CannotResume, "STAGING-PLAN", "a source file was written after the interrupted run had begun")
    {
        File = path,
        Facts = [("differs", "length, modification time or change time of a weight file of the source")],
        Action = "use --restart to throw away what is there and begin anew",
    };

    public static UserErrorException OutputAppeared(string path) => new(
        ExitCode.OutputRefused, "OUTPUT-EXISTS", "the output appeared while this run was working")
    {
        File = path,
        Action = "move it away and run the same command again, or use --overwrite",
    };

    private static IEnumerable<(string Label, string Value)> ToolsOf(JournalFolder journals) => journals.Begun
        .Select(run => run.Tool).Distinct(StringComparer.Ordinal).Where(tool => tool != ToolVersion.Name).Take(NamesShown)
        .Select(tool => ("tool", $"{tool} then, {ToolVersion.Name} now"));
}
