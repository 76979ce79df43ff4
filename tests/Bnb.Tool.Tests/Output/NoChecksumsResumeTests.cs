using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Output;

/// <summary>
/// After a run that did not end: a weight file without a checksum is made again, one with is used, and it is no other plan either way.
/// </summary>
public sealed class NoChecksumsResumeTests : IDisposable
{
    private const string Option = "--no-checksums", Notice = "were written with --no-checksums: nothing says whether they are sound, and none is used";

    private readonly TempFolder _folder = new();
    private readonly string _with;
    private readonly string _without;

    public NoChecksumsResumeTests()
    {
        new SampleCheckpoint(1, 64, 300).Write(_folder["source"]);
        ToolRun.Succeed(Quantize("with"));
        ToolRun.Succeed(Quantize("without", Option));
        _with = OutputFolder.Fingerprint(_folder["with"]);
        _without = OutputFolder.Fingerprint(_folder["without"]);
    }

    private string Staging => StagingNames.FolderFor(OutputPlace.Of(_folder["out"]));

    private string[] StagedShards => [.. Directory.GetFiles(Staging, "*.safetensors").Order(StringComparer.Ordinal)];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Quantize_AfterARunWithoutChecksums_UsesNothingAndSaysSo(bool checksums)
    {
        Leave(checksums: false);
        int finished = StagedShards.Length;
        Assert.InRange(finished, 2, 100);
        Assert.Contains("\"type\":\"unhashed\"", Journal(), StringComparison.Ordinal);
        Assert.DoesNotContain("sha256", Journal(), StringComparison.Ordinal);

        ToolRun run = ToolRun.Succeed(Quantize("out", checksums ? [] : [Option], "--json"));

        Assert.Equal(0, Reused(run));
        Assert.Contains($"{finished} of the weight files in the staging folder {Notice}", run.Error, StringComparison.Ordinal);
        AssertIs(checksums ? _with : _without);
    }

    /// <summary>A bit that nobody could find must not reach the output.</summary>
    [Fact]
    public void Quantize_AfterARunWithoutChecksumsAndADamagedFile_EndsInTheSameBytes()
    {
        Leave(checksums: false);
        byte[] bytes = File.ReadAllBytes(StagedShards[0]);
        bytes[^1] ^= 1;
        File.WriteAllBytes(StagedShards[0], bytes);

        ToolRun.Succeed(Quantize("out", Option));

        AssertIs(_without);
    }

    [Fact]
    public void Quantize_WithoutChecksumsAfterARunWith_UsesWhatItFinished()
    {
        Leave(checksums: true);
        int finished = StagedShards.Length;

        ToolRun run = ToolRun.Succeed(Quantize("out", Option, "--json"));

        Assert.Equal(finished, Reused(run));
        Assert.True(JsonResult.Of(run).GetProperty("checksums").GetBoolean());
        // Every hash is known, so the manifest is a whole one.
        AssertIs(_with);
    }

    [Fact]
    public void Quantize_WithoutChecksumsAfterAPart_HasTheHashesOfThatPart()
    {
        ToolRun.Succeed(Quantize("out", "--worker", "1/3"));
        string[] finished = [.. StagedShards.Select(Path.GetFileName).OfType<string>()];

        ToolRun run = ToolRun.Succeed(Quantize("out", Option, "--json"));

        Assert.Equal(finished.Length, Reused(run));
        Assert.False(JsonResult.Of(run).GetProperty("checksums").GetBoolean());
        Assert.Equal(OutputFolder.FingerprintOfModel(_folder["with"]), OutputFolder.FingerprintOfModel(_folder["out"]));
        JsonElement line = JsonResult.Of(ToolRun.Of("verify", _folder["out"], "--manifest", "--json"));
        string[] all = [.. Directory.GetFiles(_folder["out"], "*.safetensors").Select(Path.GetFileName).OfType<string>().Order(StringComparer.Ordinal)];
        Assert.Equal(all.Except(finished), line.GetProperty("unchecked").EnumerateArray().Select(name => name.GetString()));
        Assert.Empty(line.GetProperty("mismatches").EnumerateArray());
        // A hash that is there is compared.
        byte[] bytes = File.ReadAllBytes(_folder["out", finished[0]]);
        bytes[^1] ^= 1;
        File.WriteAllBytes(_folder["out", finished[0]], bytes);
        line = JsonResult.Of(ToolRun.Of("verify", _folder["out"], "--manifest", "--json"));
        Assert.Equal(finished[0], Assert.Single(line.GetProperty("mismatches").EnumerateArray()).GetProperty("name").GetString());
    }

    [Fact]
    public void Quantize_DamagedFileOfARunWithChecksums_IsMadeAgainWithout()
    {
        Leave(checksums: true);
        int finished = StagedShards.Length;
        byte[] bytes = File.ReadAllBytes(StagedShards[0]);
        bytes[^1] ^= 1;
        File.WriteAllBytes(StagedShards[0], bytes);

        ToolRun run = ToolRun.Succeed(Quantize("out", Option, "--json"));

        Assert.Equal(finished - 1, Reused(run));
        Assert.Equal(OutputFolder.FingerprintOfModel(_folder["with"]), OutputFolder.FingerprintOfModel(_folder["out"]));
        Assert.Single(JsonResult.Of(ToolRun.Of("verify", _folder["out"], "--manifest", "--json")).GetProperty("unchecked").EnumerateArray());
    }

    [Fact]
    public void Quantize_RestartAfterARunWithoutChecksums_BeginsAnew()
    {
        Leave(checksums: false);
        File.Delete(Path.Combine(Staging, StagingNames.Plan));

        ToolRun run = ToolRun.Succeed(Quantize("out", "--restart"));

        Assert.DoesNotContain(Notice, run.Error, StringComparison.Ordinal);
        AssertIs(_with);
    }

    [Fact]
    public void Workers_AfterARunWithoutChecksums_MakeEveryFileAgain()
    {
        Leave(checksums: false);
        string before = FolderState.Of(Staging);

        ToolRun finish = ToolRun.Of("finish", _folder["out"]);

        Refusal.AssertIs(finish, ExitCode.CannotResume, "UNFINISHED");
        Assert.Contains(Notice, finish.Error, StringComparison.Ordinal);
        Assert.All(StagedShards, path => Assert.Contains(Path.GetFileName(path), finish.Error, StringComparison.Ordinal));
        foreach (string shard in StagedShards) Assert.Contains(Path.GetFileName(shard), before, StringComparison.Ordinal);
        ToolRun first = ToolRun.Succeed(Quantize("out", "--worker", "1/2", "--json"));
        Assert.Equal((0, false), (Reused(first), JsonResult.Of(first).GetProperty("committed").GetBoolean()));
        Assert.Contains(Notice, first.Error, StringComparison.Ordinal);
        ToolRun.Succeed(Quantize("out", "--worker", "2/2"));
        AssertIs(_with);
    }

    [Fact]
    public void Workers_BesideAnOutputWithoutChecksums_AreRefusedOrReplaceIt()
    {
        ToolRun.Succeed(Quantize("out", Option));

        Refusal.AssertIs(ToolRun.Of(Quantize("out", "--worker", "1/2")), ExitCode.OutputRefused, "OUTPUT-EXISTS");
        foreach (string worker in (string[])["1/2", "2/2"]) ToolRun.Succeed(Quantize("out", "--worker", worker, "--overwrite"));

        AssertIs(_with);
    }

    private static int Reused(ToolRun run) => JsonResult.Of(run).GetProperty("files_reused").GetInt32();

    private void Leave(bool checksums) => StagingSnapshot.Leave(
        new QuantizeRequest { SourcePath = _folder["source"], OutputPath = _folder["out"], MaxShardBytes = 20_000, Checksums = checksums });

    private string Journal() => string.Concat(Directory.GetFiles(Staging, ".bnb-journal*").Select(File.ReadAllText));

    private void AssertIs(string fingerprint)
    {
        Assert.Equal(fingerprint, OutputFolder.Fingerprint(_folder["out"]));
        Assert.False(Path.Exists(Staging));
    }

    private string[] Quantize(string output, params string[] options) =>
        ["quantize", _folder["source"], "--output", _folder[output], "--max-shard-size", "20kB", .. options];

    private string[] Quantize(string output, string[] options, string more) => Quantize(output, [.. options, more]);
}
