using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Recipes;

/// <summary><c>--config</c>: options from a file, under those of the command line.</summary>
public sealed class ConfigFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public ConfigFileTests() => VerifyModel.Source(_folder["source"]);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_ConfigWithCommentsAndTrailingCommas_IsTheSameAsTheOptions()
    {
        string expected = Quantize("typed", "--type", "fp4", "--block-size", "128", "--double-quant", "false", "--override", "*.down_proj=keep",
            "--override", "*.up_proj=fp4/32", "--exclude-unaligned");

        string output = Quantize("read", "--config", Config("""
            {
              // What the tests like best.
              "$schema": "urn:any",
              "type": "fp4",
              "blockSize": 128, /* a number */
              "doubleQuant": false,
              "excludeUnaligned": true,
              "overwrite": false,
              "overrides": [
                "*.down_proj=keep",
                "*.up_proj=fp4/32",
              ],
              "_note": { "of": "no meaning" },
            }
            """));

        Assert.Equal(OutputFolder.Fingerprint(expected), OutputFolder.Fingerprint(output));
    }

    [Fact]
    public void Quantize_ConfigWithAByteOrderMark_IsRead()
    {
        string expected = Quantize("typed", "--type", "fp4");

        string output = Quantize("read", "--config", Config("\uFEFF" + """{"type": "fp4"}"""));

        Assert.Equal(OutputFolder.Fingerprint(expected), OutputFolder.Fingerprint(output));
    }

    [Theory]
    [InlineData("--block-size", "32")]
    [InlineData("--block-size=32")]
    [InlineData("--block-size:32")]
    public void Quantize_OptionOfBoth_IsThatOfTheCommandLine(params string[] typed)
    {
        string expected = Quantize("typed", "--type", "fp4", "--block-size", "32");

        string output = Quantize("both", [.. typed, "--config=" + Config("""{"type": "fp4", "blockSize": 128}""")]);

        Assert.Equal(OutputFolder.Fingerprint(expected), OutputFolder.Fingerprint(output));
    }

    [Fact]
    public void Quantize_AliasOnTheCommandLine_GoesBeforeTheFile()
    {
        string expected = Quantize("typed", "--type", "fp4");

        string output = Quantize("both", "-t", "fp4", "--config", Config("""{"type": "nf4"}"""));

        Assert.Equal(OutputFolder.Fingerprint(expected), OutputFolder.Fingerprint(output));
    }

    [Fact]
    public void Quantize_OverridesOfBoth_CountThoseOfTheCommandLineLast()
    {
        string expected = Quantize("typed", "--override", "*.up_proj=/32");

        string output = Quantize("both", "--override", "*.up_proj=/32", "--config", Config("""{"overrides": ["*_proj=/128", "*_proj=/64"]}"""));

        // The manifests differ by the overrides that were given.
        Assert.Equal(File.ReadAllBytes(Path.Combine(expected, "model.safetensors")), File.ReadAllBytes(Path.Combine(output, "model.safetensors")));
    }

    [Theory]
    [InlineData("""{"blocksize": 64}""", "did you mean blockSize?")]
    [InlineData("""{"block-size": 64}""", "'block-size'")]
    [InlineData("""{"teip": "nf4"}""", "did you mean type?")]
    [InlineData("""{"config": "other.json"}""", "'config'")]
    [InlineData("""{"output": "elsewhere"}""", "give --output on the command line")]
    [InlineData("""{"dryRun": true}""", "'dryRun' cannot stand in a recipe")]
    [InlineData("""{"bits": 4}""", "did you mean type?")]
    [InlineData("""{"typ": "nf4"}""", "did you mean type?")]
    [InlineData("""{"skip": "lm_head"}""", "did you mean exclude?")]
    [InlineData("""{"type": "nf4", "type": "fp4"}""", "twice")]
    [InlineData("""{"type": ["nf4", "fp4"]}""", "one value")]
    [InlineData("""{"type": null}""", "'type'")]
    [InlineData("""{"overrides": [["a=keep"]]}""", "'overrides'")]
    [InlineData("""{"excludeUnaligned": "yes"}""", "true or false")]
    [InlineData("""["nf4"]""", "one JSON object")]
    [InlineData("""{"type": "nf4" """, "no JSON")]
    [InlineData("", "no JSON")]
    [InlineData("""{"type": "\ud800"}""", "no JSON")]
    public void Quantize_ConfigThatCannotBe_IsRefused(string text, string why)
    {
        ToolRun run = ToolRun.Of("quantize", _folder["source"], "--output", _folder["out"], "--config", Config(text));

        Refusal.AssertIs(run, ExitCode.Usage, "RECIPE");
        Assert.Contains(why, run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Theory]
    [InlineData("""{"type": "nf5"}""")]
    [InlineData("""{"type": "int8", "blockSize": 64}""")]
    [InlineData("""{"overrides": "up_proj"}""")]
    public void Quantize_ValueInTheConfigThatCannotBe_IsCheckedAsATypedOneAndNamesTheFile(string text)
    {
        string config = Config(text);

        ToolRun run = ToolRun.Of("quantize", _folder["source"], "--output", _folder["out"], "--config", config);

        Refusal.AssertIs(run, ExitCode.Usage, "USAGE");
        Assert.Contains($"  file  {config}\n  do    correct the recipe file\n", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_TypedMistakeBesideAConfig_DoesNotBlameTheFile()
    {
        ToolRun run = ToolRun.Of("quantize", _folder["source"], "--output", _folder["out"], "--config", Config("""{"type": "fp4"}"""), "--block-size", "63");

        Refusal.AssertIs(run, ExitCode.Usage, "USAGE");
        Assert.DoesNotContain("recipe.json", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_MissingConfig_IsRefusedWithTheWayToOne()
    {
        ToolRun run = ToolRun.Of("quantize", _folder["source"], "--output", _folder["out"], "--config", _folder["none.json"]);

        Refusal.AssertIs(run, ExitCode.Usage, "RECIPE");
        Assert.Contains("there is no recipe of this name", run.Error, StringComparison.Ordinal);
        Assert.Contains("dotnet bnb init SOURCE", run.Error, StringComparison.Ordinal);
    }

    private string Quantize(string name, params IReadOnlyList<string> options) => VerifyModel.Quantize(_folder["source"], _folder[name], options);

    private string Config(string text)
    {
        string path = _folder["recipe.json"];
        File.WriteAllText(path, text);
        return path;
    }
}
