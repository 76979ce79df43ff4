using System.Text.Json;
using System.Text.Json.Nodes;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Output;

/// <summary>bnb-manifest.json: what it says, that it does not depend on the way, and that a changed folder is found out.</summary>
public sealed class ManifestTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _source;

    public ManifestTests()
    {
        _source = _folder["source"];
        new SampleCheckpoint(1, 64, 300).Write(_source);
        ToolRun.Succeed("quantize", _source, "--output", Output, "--max-shard-size", "20kB");
    }

    private string Output => _folder["out"];

    private string Path => _folder["out", OutputManifest.FileName];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Manifest_NamesEveryFileButItself()
    {
        IEnumerable<string> named = JsonElement.Parse(File.ReadAllBytes(Path)).GetProperty("files").EnumerateArray()
            .Select(file => file.GetProperty("name").GetString()!);

        Assert.Equal(
            Directory.GetFiles(Output).Select(System.IO.Path.GetFileName).Where(name => name != OutputManifest.FileName).Order(StringComparer.Ordinal), named);
    }

    [Theory]
    [InlineData("\"type\": \"nf4\"", "\"type\": \"nf\u00e14\"")]
    [InlineData("dotnet-bnb", "dotnet\u00e1bnb")]
    public void Parse_TextThatIsNotUtf8_IsNone(string text, string broken)
    {
        string whole = System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(Path));

        Assert.NotNull(OutputManifest.Parse(System.Text.Encoding.Latin1.GetBytes(whole)));
        Assert.Contains(text, whole, StringComparison.Ordinal);
        Assert.Null(OutputManifest.Parse(System.Text.Encoding.Latin1.GetBytes(whole.Replace(text, broken, StringComparison.Ordinal))));
    }

    [Theory]
    [InlineData(".json")] // the side files are left
    [InlineData("nothing")]
    public void Verify_ManifestWithoutAWeightFile_IsNone(string kept)
    {
        JsonNode manifest = JsonNode.Parse(File.ReadAllBytes(Path))!;
        foreach (JsonNode? file in manifest["files"]!.AsArray().ToList())
            if (!((string)file!["name"]!).EndsWith(kept, StringComparison.Ordinal)) manifest["files"]!.AsArray().Remove(file);

        File.WriteAllText(Path, manifest.ToJsonString());

        Refusal.AssertIs(ToolRun.Of("verify", Output, "--manifest"), ExitCode.InputMalformed, "MANIFEST");
    }

    [Fact]
    public void Manifest_OfAnotherWayToTheSameResult_IsTheSame()
    {
        Directory.Move(_source, _folder["elsewhere"]);
        ToolRun.Succeed("quantize", _folder["elsewhere"], "--output", _folder["b"], "--max-shard-size", "0.02MB", "--threads", "3", "--max-memory", "8MB", "--type", "nf4");

        Assert.Equal(File.ReadAllText(Path), File.ReadAllText(_folder["b", OutputManifest.FileName]));
        Assert.DoesNotContain(_folder.Path, File.ReadAllText(Path), StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_UntouchedFolder_Passes()
    {
        Assert.Contains("\nverified: ", ToolRun.Succeed("verify", Output, "--manifest").Out, StringComparison.Ordinal);

        JsonElement line = JsonResult.Of(ToolRun.Succeed("verify", Output, "--manifest", "--json"));
        Assert.True(line.GetProperty("passed").GetBoolean());
    }

    [Theory]
    [InlineData("config.json", "length")]
    [InlineData("model.safetensors.index.json", "missing")]
    [InlineData("model-00001-of", "sha256")]
    public void Verify_ChangedFile_FailsWithItsName(string start, string problem)
    {
        string file = Directory.GetFiles(Output, start + "*")[0];
        if (problem == "missing") File.Delete(file);
        else if (problem == "length") File.AppendAllText(file, "\n");
        else Flip(file);

        ToolRun run = ToolRun.Of("verify", Output, "--manifest", "--json");

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        JsonElement mismatch = Assert.Single(JsonResult.Of(run).GetProperty("mismatches").EnumerateArray());
        Assert.Equal((System.IO.Path.GetFileName(file), problem), (mismatch.GetProperty("name").GetString(), mismatch.GetProperty("problem").GetString()));
    }

    [Fact]
    public void Verify_FileThatTheManifestDoesNotName_IsSaidAndNoFailure()
    {
        _folder.Write("out/README.md", "# mine"u8);

        Assert.Contains("not in the manifest  README.md\n", ToolRun.Succeed("verify", Output, "--manifest").Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../escape")]
    [InlineData("/etc/passwd")]
    [InlineData("a/../../b")]
    public void Verify_ManifestThatNamesAFileOutside_IsRefused(string name)
    {
        string text = File.ReadAllText(Path).Replace("\"config.json\"", JsonSerializer.Serialize(name), StringComparison.Ordinal);
        File.WriteAllText(Path, text);

        Refusal.AssertIs(ToolRun.Of("verify", Output, "--manifest"), ExitCode.InputMalformed, "MANIFEST");
    }

    [Fact]
    public void Verify_FolderWithoutAManifest_IsRefused()
    {
        Refusal.AssertIs(ToolRun.Of("verify", _source, "--manifest"), ExitCode.InputMissing, "MANIFEST");
        Refusal.AssertIs(ToolRun.Of("verify", Output), ExitCode.Usage, "USAGE");
        Refusal.AssertIs(ToolRun.Of("verify", Output, "--manifest", "--source", _source), ExitCode.Usage, "USAGE");
    }

    [Fact]
    public void Inspect_ShowsIt()
    {
        string plan = JsonElement.Parse(File.ReadAllBytes(Path)).GetProperty("plan").GetString()!;

        JsonElement manifest = JsonResult.Of(ToolRun.Succeed("inspect", Output, "--json")).GetProperty("manifest");

        Assert.Equal(("quantize", plan), (manifest.GetProperty("command").GetString(), manifest.GetProperty("plan").GetString()));
        Assert.Contains("made by", ToolRun.Succeed("inspect", Output).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Dequantize_DoesNotCopyTheManifestOfItsSource()
    {
        ToolRun.Succeed("dequantize", Output, "--output", _folder["back"]);

        ToolRun.Succeed("verify", _folder["back"], "--manifest");
        Assert.Equal("dequantize", JsonElement.Parse(File.ReadAllBytes(_folder["back", OutputManifest.FileName])).GetProperty("command").GetString());
    }

    private static void Flip(string file)
    {
        byte[] bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
    }
}
