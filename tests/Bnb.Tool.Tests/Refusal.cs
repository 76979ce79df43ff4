using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>What every refused run owes its user, whatever the reason.</summary>
internal static class Refusal
{
    private const int LongestTalk = 16_000;

    /// <summary>Exit code, one error line of this code, and nothing in the message that could harm a terminal.</summary>
    public static void AssertIs(ToolRun run, ExitCode exit, string code)
    {
        Assert.True((exit, true) == (run.Exit, run.Error.Contains($"error[{code}]: ", StringComparison.Ordinal)), $"exit {run.Exit}: {run.Error}");
        Assert.Single(run.Error.Split('\n'), line => line.StartsWith("error[", StringComparison.Ordinal));
        AssertHarmless(run.Error);
    }

    /// <summary>Short, without control characters and without a stack trace.</summary>
    public static void AssertHarmless(string talk)
    {
        Assert.InRange(talk.Length, 0, LongestTalk);
        Assert.DoesNotContain(talk, character => char.IsControl(character) && character != '\n');
        Assert.DoesNotContain("   at ", talk, StringComparison.Ordinal);
    }

    /// <summary>Neither an output nor a staging folder.</summary>
    public static void AssertNothingWritten(string outputPath)
    {
        Assert.False(Path.Exists(outputPath), outputPath);
        Assert.False(Path.Exists(StagingNames.FolderFor(OutputPlace.Of(outputPath))), StagingNames.FolderFor(OutputPlace.Of(outputPath)));
    }
}
