using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Bnb.Tool.Tests.Pipelines;
using Bnb.Tool.Tests.Verification;
using Xunit;

namespace Bnb.Tool.Tests.Output;

/// <summary><c>--no-checksums</c>: the same weights, a manifest that says what it lacks, and no command that takes it for checked.</summary>
public sealed class NoChecksumsTests : IDisposable
{
    private const string Option = "--no-checksums";

    private readonly TempFolder _folder = new();

    public NoChecksumsTests()
    {
        new SampleCheckpoint(1, 64, 300).Write(_folder["source"]);
        ToolRun.Succeed(Quantize("fresh"));
        ToolRun.Succeed(Quantize("out", Option));
    }

    private string Output => _folder["out"];

    private string ManifestPath => _folder["out", OutputManifest.FileName];

    private string[] Weights => [.. Directory.GetFiles(Output, "*.safetensors").Select(Path.GetFileName).OfType<string>().Order(StringComparer.Ordinal)];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_Output_IsThatOfTheDefaultButForHashesOfWeightFiles()
    {
        Assert.InRange(Weights.Length, 2, 100);
        AssertSameButForHashes("fresh", "out");
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("none")]
    public void Quantize_OfAnotherType_IsThatOfTheDefaultToo(string type)
    {
        ToolRun.Succeed(Quantize("fresh-other", "--type", type));
        ToolRun.Succeed(Quantize("other", "--type", type, Option));

        AssertSameButForHashes("fresh-other", "other");
    }

    [Fact]
    public void Dequantize_Output_IsThatOfTheDefaultButForHashesOfWeightFiles()
    {
        ToolRun.Succeed("dequantize", _folder["fresh"], "--output", _folder["fresh-back"]);
        ToolRun.Succeed("dequantize", _folder["fresh"], "--output", _folder["back"], Option);

        AssertSameButForHashes("fresh-back", "back");
        ToolRun run = ToolRun.Of("verify", _folder["back"], "--manifest");
        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.EndsWith("dequantize again without it\n", run.Out, StringComparison.Ordinal);
    }

    /// <summary>What is copied is known to the plan by its content, whatever the option says.</summary>
    [Fact]
    public void Quantize_Pipeline_OnlyWhatItMakesGoesWithoutHashes()
    {
        using var folder = new TempFolder();
        string pipeline = SmallPipeline.Write(folder, "pipe");

        ToolRun.Succeed("quantize", pipeline, "--output", folder["out"], "--components", "transformer", Option);

        JsonArray files = (JsonArray)JsonNode.Parse(File.ReadAllBytes(folder["out", OutputManifest.FileName]))!["files"]!;
        IEnumerable<string> unhashed = files.Where(file => file!["sha256"] is null).Select(file => (string)file!["name"]!);
        Assert.Contains(files, file => ((string)file!["name"]!).EndsWith(".safetensors", StringComparison.Ordinal) && file["sha256"] is not null);
        Assert.NotEmpty(unhashed);
        Assert.All(unhashed, name => Assert.Matches("^transformer/.*\\.safetensors$", name));
    }

    [Fact]
    public void Verify_Manifest_NeverPassesAndSaysWhy()
    {
        ToolRun run = ToolRun.Of("verify", Output, "--manifest"), json = ToolRun.Of("verify", Output, "--manifest", "--json");

        Assert.Equal((ExitCode.VerificationFailed, ExitCode.VerificationFailed), (run.Exit, json.Exit));
        Assert.DoesNotContain("verified: ", run.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("FAILED: ", run.Out, StringComparison.Ordinal);
        Assert.Matches($@"\nNOT VERIFIED: {Weights.Length} of \d+ files were written with --no-checksums, .*: quantize again without it, or verify with --source\n$", run.Out);
        JsonElement line = JsonResult.Of(json);
        Assert.False(line.GetProperty("passed").GetBoolean());
        Assert.Empty(line.GetProperty("mismatches").EnumerateArray());
        Assert.Equal(Weights, line.GetProperty("unchecked").EnumerateArray().Select(name => name.GetString()));
        Assert.Empty(ReportSchema.Problems(line.GetRawText(), Path.Combine("schemas", "manifest.schema.json")));
    }

    [Theory]
    [InlineData("config.json", "sha256")]
    [InlineData("model.safetensors.index.json", "missing")]
    [InlineData("model-00001-of", "length")]
    [InlineData("model-00002-of", "missing")]
    [InlineData("model-00002-of", "unreadable")]
    public void Verify_Manifest_StillFindsWhatCanBeFound(string start, string problem)
    {
        string file = Directory.GetFiles(Output, start + "*")[0];
        if (problem == "sha256") Flip(file);
        else if (problem == "length") File.AppendAllText(file, "\n");
        else File.Delete(file);
        if (problem == "unreadable") Directory.CreateDirectory(file);

        ToolRun json = ToolRun.Of("verify", Output, "--manifest", "--json"), run = ToolRun.Of("verify", Output, "--manifest");

        Assert.Equal(ExitCode.VerificationFailed, json.Exit);
        JsonElement mismatch = Assert.Single(JsonResult.Of(json).GetProperty("mismatches").EnumerateArray());
        Assert.Equal((Path.GetFileName(file), problem), (mismatch.GetProperty("name").GetString(), mismatch.GetProperty("problem").GetString()));
        Assert.Empty(ReportSchema.Problems(JsonResult.Of(json).GetRawText(), Path.Combine("schemas", "manifest.schema.json")));
        Assert.Contains("\nFAILED: 1 of ", run.Out, StringComparison.Ordinal);
        Assert.Contains("\nNOT VERIFIED: ", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_AgainstTheSource_IsAsEverAndItsCardKeepsTheManifestHonest()
    {
        ToolRun.Succeed("verify", Output, "--source", _folder["source"], "--update-card");

        JsonElement line = JsonResult.Of(ToolRun.Of("verify", Output, "--manifest", "--json"));
        Assert.Empty(line.GetProperty("mismatches").EnumerateArray());
        Assert.Equal(Weights, line.GetProperty("unchecked").EnumerateArray().Select(name => name.GetString()));
    }

    [Fact]
    public void OtherReaders_OfTheManifest_ShowItOrDoAsEver()
    {
        Assert.Contains("left out of weight files", ToolRun.Succeed("inspect", Output).Out, StringComparison.Ordinal);
        Assert.DoesNotContain("left out of weight files", ToolRun.Succeed("inspect", _folder["fresh"]).Out, StringComparison.Ordinal);
        JsonElement inspected = JsonResult.Of(ToolRun.Succeed("inspect", Output, "--json"));
        Assert.False(inspected.GetProperty("manifest").GetProperty("checksums").GetBoolean());
        Assert.Empty(ReportSchema.Problems(inspected.GetRawText(), Path.Combine("schemas", "checkpoint.schema.json")));
        Assert.True(JsonResult.Of(ToolRun.Succeed("inspect", _folder["fresh"], "--json")).GetProperty("manifest").GetProperty("checksums").GetBoolean());
        ToolRun.Succeed("diff", Output, _folder["fresh"]);
        ToolRun.Succeed("lint", Output);
        ToolRun.Succeed("dequantize", Output, "--output", _folder["back"]);
        ToolRun.Succeed("verify", _folder["back"], "--manifest");
        Assert.StartsWith("nothing to do", ToolRun.Succeed("finish", Output).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Result_OfEitherCommand_SaysSo()
    {
        ToolRun[] without =
        [
            ToolRun.Succeed(Quantize("a", Option)), ToolRun.Succeed("dequantize", Output, "--output", _folder["b"], Option),
        ];
        JsonElement[] lines =
        [
            JsonResult.Of(ToolRun.Succeed(Quantize("c", Option, "--json"))),
            JsonResult.Of(ToolRun.Succeed("dequantize", Output, "--output", _folder["d"], Option, "--json")),
        ];

        Assert.All(without, run => Assert.Matches("\nchecksums +left out: ", run.Out));
        Assert.All(lines, line => Assert.False(line.GetProperty("checksums").GetBoolean()));
        Assert.All(lines, line => Assert.Empty(ReportSchema.Problems(line.GetRawText(), Path.Combine("schemas", line.GetProperty("type").GetString() + ".schema.json"))));
        Assert.True(JsonResult.Of(ToolRun.Succeed(Quantize("e", "--json"))).GetProperty("checksums").GetBoolean());
        Assert.DoesNotContain("checksums", ToolRun.Succeed(Quantize("f")).Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Quantize_FinishedOutputWithoutChecksums_IsRefusedWithTheReason(bool again)
    {
        string before = FolderState.Of(Output);
        string[] option = again ? [Option] : [];

        ToolRun run = ToolRun.Of(Quantize("out", option));

        Refusal.AssertIs(run, ExitCode.OutputRefused, "OUTPUT-EXISTS");
        Assert.Contains("made with --no-checksums: whether its weight files are sound cannot be told", run.Error, StringComparison.Ordinal);
        Assert.Contains("--overwrite", run.Error, StringComparison.Ordinal);
        Assert.Equal(before, FolderState.Of(Output));
        ToolRun.Succeed(Quantize("out", [.. option, "--overwrite"]));
        if (!again) Assert.Equal(OutputFolder.Fingerprint(_folder["fresh"]), OutputFolder.Fingerprint(Output));
    }

    [Fact]
    public void Quantize_FinishedOutputOfAnotherPlan_IsRefusedAsEver() =>
        Assert.Contains("the output folder exists and is not empty", ToolRun.Of(Quantize("out", "--type", "fp4")).Error, StringComparison.Ordinal);

    [Fact]
    public void Quantize_FinishedOutputWithChecksums_HasNothingToDo()
    {
        ToolRun run = ToolRun.Succeed(Quantize("fresh", Option, "--json"));

        Assert.True(JsonResult.Of(run).GetProperty("nothing_to_do").GetBoolean());
        Assert.True(JsonResult.Of(run).GetProperty("checksums").GetBoolean());
        ToolRun.Succeed("verify", _folder["fresh"], "--manifest");
    }

    [Fact]
    public void Option_WhereItHasNoPlace_IsAUsageError()
    {
        ToolRun worker = ToolRun.Of(Quantize("many", "--worker", "1/2", Option));
        _folder.Write("recipe.json", """{"noChecksums": true}"""u8);
        ToolRun recipe = ToolRun.Of(Quantize("recipe", "--config", _folder["recipe.json"]));

        Refusal.AssertIs(worker, ExitCode.Usage, "USAGE");
        Assert.Contains("--worker does not go with --no-checksums: ", worker.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["many"]);
        Refusal.AssertIs(recipe, ExitCode.Usage, "RECIPE");
        Assert.Contains("give --no-checksums on the command line", recipe.Error, StringComparison.Ordinal);
        Refusal.AssertIs(ToolRun.Of("finish", _folder["many"], Option), ExitCode.Usage, "USAGE");
    }

    /// <summary>Missing hashes are accepted in one form only, whoever wrote the manifest.</summary>
    [Theory]
    [InlineData("no member says so", "\"no_checksums\": true,", "")]
    [InlineData("the member says no", "\"no_checksums\": true", "\"no_checksums\": false")]
    [InlineData("the member is text", "\"no_checksums\": true", "\"no_checksums\": \"true\"")]
    [InlineData("the member is null", "\"no_checksums\": true", "\"no_checksums\": null")]
    [InlineData("a side file has none", ",\\s*\"sha256\": \"[0-9a-f]+\"", "")]
    [InlineData("a side file has null", "\"sha256\": \"[0-9a-f]+\"", "\"sha256\": null")]
    [InlineData("a weight file has null", "(safetensors\",\\s*\"bytes\": [0-9]+)(\\s*})", "$1, \"sha256\": null$2")]
    [InlineData("a weight file has no text", "(safetensors\",\\s*\"bytes\": [0-9]+)(\\s*})", "$1, \"sha256\": 1$2")]
    [InlineData("a weight file has no length", "(safetensors\"),\\s*\"bytes\": [0-9]+", "$1")]
    [InlineData("every file has one", "(safetensors\",\\s*\"bytes\": [0-9]+)(\\s*})", "$1, \"sha256\": \"00\"$2", true)]
    public void Parse_HashesMissingInAnyOtherWay_IsNoManifest(string what, string from, string to, bool everywhere = false)
    {
        string text = File.ReadAllText(ManifestPath), changed = new Regex(from).Replace(text, to, everywhere ? -1 : 1);
        Assert.NotEqual((what, text), (what, changed));
        Assert.NotNull(JsonNode.Parse(changed));
        Assert.NotNull(OutputManifest.Parse(File.ReadAllBytes(ManifestPath)));
        File.WriteAllText(ManifestPath, changed);

        Refusal.AssertIs(ToolRun.Of("verify", Output, "--manifest"), ExitCode.InputMalformed, "MANIFEST");
    }

    [Fact]
    public void Write_OfWhatWasParsed_IsTheSame() =>
        Assert.Equal(File.ReadAllText(ManifestPath), System.Text.Encoding.UTF8.GetString(OutputManifest.Parse(File.ReadAllBytes(ManifestPath))!.Write()));

    private static void Flip(string file)
    {
        byte[] bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
    }

    private void AssertSameButForHashes(string with, string without)
    {
        Assert.Equal(OutputFolder.FingerprintOfModel(_folder[with]), OutputFolder.FingerprintOfModel(_folder[without]));
        JsonObject expected = Manifest(with), found = Manifest(without);
        Assert.False(expected.ContainsKey("no_checksums"));
        foreach (JsonNode? file in (JsonArray)expected["files"]!)
            if (((string)file!["name"]!).EndsWith(".safetensors", StringComparison.Ordinal)) Assert.True(((JsonObject)file).Remove("sha256"));

        Assert.True((bool)found["no_checksums"]!);
        found.Remove("no_checksums");
        Assert.Equal(expected.ToJsonString(), found.ToJsonString());
    }

    private JsonObject Manifest(string output) => (JsonObject)JsonNode.Parse(File.ReadAllBytes(_folder[output, OutputManifest.FileName]))!;

    private string[] Quantize(string output, params string[] options) =>
        ["quantize", _folder["source"], "--output", _folder[output], "--max-shard-size", "20kB", .. options];
}
