using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Selection;

/// <summary><c>re:</c> patterns are taken wherever globs are.</summary>
public sealed class RegularExpressionTests(RegularExpressionTests.Models models) : IClassFixture<RegularExpressionTests.Models>
{
    private const string Pattern = @"re:.*\.(up|down)_proj";

    [Fact]
    public void Verify_Include_ChecksThoseLayers()
    {
        string screen = ToolRun.Succeed("verify", models.Output, "--source", models.Source, "--include", Pattern).Out;

        Assert.Contains("2 of 4 checked", screen, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_PolicyFile_SetsLimitsForThoseLayers()
    {
        string policy = models.Write("policy.json", """{"rules": [{"match": "re:.*[.]up_proj", "max_rel_error": 0.01}]}""");

        ToolRun run = ToolRun.Of("verify", models.Output, "--source", models.Source, "--policy", policy, "--json");

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.Equal(
            [VerifyModel.Up],
            JsonResult.Of(run).GetProperty("layers").EnumerateArray().Where(layer => !layer.GetProperty("passed").GetBoolean()).Select(layer => layer.GetProperty("name").GetString()!));
    }

    [Fact]
    public void Diff_Exclude_LeavesThemOut()
    {
        string screen = ToolRun.Of("diff", models.Source, models.Output, "--exclude", "re:.*_proj").Out;

        Assert.Contains("3 equal, 0 different", screen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Pattern)]
    [InlineData("*.{up,down}_proj")]
    public void Explain_Pattern_TellsOfThoseTensors(string pattern)
    {
        string[] lines = ToolRun.Succeed("explain", models.Source, pattern).Out.TrimEnd().Split('\n');

        Assert.Equal(3, lines.Length);
    }

    [Theory]
    [InlineData("verify", "--include")]
    [InlineData("diff", "--include")]
    [InlineData("quantize", "--include")]
    [InlineData("explain", "")]
    public void Pattern_ThatIsNoExpression_IsRefused(string command, string option)
    {
        string[] args = command switch
        {
            "verify" => ["verify", models.Output, "--source", models.Source],
            "diff" => ["diff", models.Source, models.Output],
            "quantize" => ["quantize", models.Source, "--dry-run"],
            _ => ["explain", models.Source],
        };

        ToolRun run = ToolRun.Of([.. args, .. option.Length > 0 ? [option] : Array.Empty<string>(), "re:(up"]);

        Refusal.AssertIs(run, ExitCode.Usage, "PATTERN-INVALID");
    }

    [Fact]
    public void Verify_PolicyFileWithAnExpressionThatIsNone_IsRefused()
    {
        string policy = models.Write("broken.json", """{"rules": [{"match": "re:(?=up)", "max_rel_error": 0.01}]}""");

        Refusal.AssertIs(ToolRun.Of("verify", models.Output, "--source", models.Source, "--policy", policy), ExitCode.Usage, "POLICY-FILE");
    }

    [Theory]
    [InlineData("verify")]
    [InlineData("diff")]
    [InlineData("explain")]
    public void Pattern_ThatMatchesNothing_IsToldWithTheNearest(string command)
    {
        string[] args = command switch
        {
            "verify" => ["verify", models.Output, "--source", models.Source, "--include", "*.up_porj"],
            "diff" => ["diff", models.Source, models.Output, "--include", "*.up_porj"],
            _ => ["explain", models.Source, "*.up_porj"],
        };

        ToolRun run = ToolRun.Of(args);

        Refusal.AssertIs(run, ExitCode.Usage, "PATTERN-UNMATCHED");
        Assert.Contains("nearest", run.Error, StringComparison.Ordinal);
        Assert.Contains("up_proj", run.Error, StringComparison.Ordinal);
    }

    /// <summary>Made once.</summary>
    public sealed class Models : IDisposable
    {
        private readonly TempFolder _temp = new();

        public Models() => VerifyModel.Quantize(VerifyModel.Source(Source), Output);

        internal string Source => _temp["source"];

        internal string Output => _temp["out"];

        public void Dispose() => _temp.Dispose();

        internal string Write(string name, string text)
        {
            File.WriteAllText(_temp[name], text);
            return _temp[name];
        }
    }
}
