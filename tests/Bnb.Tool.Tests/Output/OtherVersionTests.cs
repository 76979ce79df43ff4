using System.Text;
using System.Text.RegularExpressions;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Sampling;
using Bnb.Engine.Text;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Output;

/// <summary>A staging folder whose plan or journals another version of the tool wrote, or somebody in its name.</summary>
public sealed class OtherVersionTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _fresh;

    public OtherVersionTests()
    {
        new SampleCheckpoint(1, 64, 300).Write(_folder["source"]);
        ToolRun.Succeed("quantize", _folder["source"], "--output", _folder["fresh"], "--max-shard-size", "20kB");
        _fresh = OutputFolder.Fingerprint(_folder["fresh"]);
        // All that is finished, and nothing committed: what two of three workers and the third one's death leave.
        ToolRun.Succeed([.. Command, "--worker", "1/3"]);
        ToolRun.Succeed([.. Command, "--worker", "2/3"]);
    }

    private string Output => _folder["out"];

    private string[] Command => ["quantize", _folder["source"], "--output", Output, "--max-shard-size", "20kB"];

    private string Staging => StagingNames.FolderFor(OutputPlace.Of(Output));

    private string[] Journals => [.. Directory.GetFiles(Staging, ".bnb-journal*").Order(StringComparer.Ordinal)];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_StagingFolderOfAnotherVersion_IsRefusedWithBothVersions()
    {
        string plan = Path.Combine(Staging, StagingNames.Plan), text = File.ReadAllText(plan).Replace(ToolVersion.Name, "dotnet-bnb 0.0.1", StringComparison.Ordinal);
        File.WriteAllText(plan, text);
        foreach (string journal in Journals) Reseal(journal, PlanRecord.Parse(Encoding.UTF8.GetBytes(text))!.Hash);
        string before = FolderState.Of(_folder.Path);

        ToolRun run = ToolRun.Of([.. Command]), worker = ToolRun.Of([.. Command, "--worker", "3/3"]);
        Assert.Equal(before, FolderState.Of(_folder.Path));
        File.Delete(plan);
        ToolRun unnamed = ToolRun.Of([.. Command]);

        Assert.All([run, worker, unnamed], refused =>
        {
            Refusal.AssertIs(refused, ExitCode.CannotResume, "STAGING-PLAN");
            Assert.Matches($@"\n  tool +dotnet-bnb 0\.0\.1 then, {Regex.Escape(ToolVersion.Name)} now\n", refused.Error);
            Assert.Contains("--restart", refused.Error, StringComparison.Ordinal);
        });
        ToolRun.Succeed([.. Command, "--restart"]);
        Assert.Equal(_fresh, OutputFolder.Fingerprint(Output));
    }

    [Fact]
    public void Quantize_JournalsOfAVersionToCome_AreRefusedByName()
    {
        foreach (string journal in Journals) Reseal(journal, plan: null, version: RunJournal.Version + 1);

        ToolRun run = ToolRun.Of([.. Command]);

        Refusal.AssertIs(run, ExitCode.CannotResume, "STAGING-PLAN");
        Assert.All(Journals, journal => Assert.Contains(Path.GetFileName(journal), run.Error, StringComparison.Ordinal));
    }

    [Fact]
    public void Quantize_JournalWithNothingWhereANameBelongs_CountsForNothing()
    {
        // Sound to its checksum, so it was written on purpose.
        string text = """{"type":"shard","name":null,"bytes":1,"sha256":null""";
        File.AppendAllText(Journals[0], $"{text},\"line\":\"{RunJournal.Checksum(Encoding.UTF8.GetBytes(text))}\"}}\n");

        ToolRun.Succeed([.. Command]);

        Assert.Equal(_fresh, OutputFolder.Fingerprint(Output));
    }

    /// <summary>Changes the first line of a journal and closes it with the checksum that it then has.</summary>
    private static void Reseal(string journal, string? plan, int version = RunJournal.Version)
    {
        string[] lines = File.ReadAllLines(journal);
        string text = lines[0][..lines[0].LastIndexOf(",\"line\"", StringComparison.Ordinal)]
            .Replace($"\"journal\":{RunJournal.Version}", $"\"journal\":{version}", StringComparison.Ordinal);
        if (plan is not null)
        {
            text = text.Replace(ToolVersion.Name, "dotnet-bnb 0.0.1", StringComparison.Ordinal);
            text = Regex.Replace(text, "\"plan\":\"[0-9a-f]+\"", $"\"plan\":\"{plan}\"");
        }

        lines[0] = $"{text},\"line\":\"{RunJournal.Checksum(Encoding.UTF8.GetBytes(text))}\"}}";
        File.WriteAllText(journal, string.Join('\n', lines) + "\n");
    }
}
