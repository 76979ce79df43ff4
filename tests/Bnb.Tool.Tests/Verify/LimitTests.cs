using System.Text;
using System.Text.Json.Nodes;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>Which limit decides about which layer, and what a baseline adds.</summary>
public sealed class LimitTests(LimitTests.Model model) : IClassFixture<LimitTests.Model>, IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--max-rel-error", "0.05", "rel-error")]
    [InlineData("--min-snr", "40", "min-snr")]
    [InlineData("--max-kernel-error", "1e-9", "kernel-error")]
    public void Verify_LimitThatNothingMeets_FailsEveryLayerByItsName(string option, string value, string rule)
    {
        Verification done = Verification.Failing(model.Good, model.Source, option, value);

        Assert.All(done.LayerNames, name => Assert.Contains(rule, done.Failures(name)));
        Assert.Empty(done.Failures());
    }

    [Theory]
    [InlineData("--max-rel-error", "0.15")]
    [InlineData("--min-snr", "15")]
    [InlineData("--max-kernel-error", "0.05")]
    [InlineData("--max-code-diffs", "0")]
    public void Verify_LimitThatAllMeet_Passes(string option, string value) => Verification.Passing(model.Good, model.Source, option, value);

    [Theory]
    [InlineData("--max-rel-error", "0")]
    [InlineData("--max-rel-error", "NaN")]
    [InlineData("--min-snr", "high")]
    [InlineData("--max-code-diffs", "-1")]
    [InlineData("--tokens", "4097")]
    [InlineData("--sample", "0")]
    [InlineData("--sample", "101%")]
    [InlineData("--sample", "1.5")]
    [InlineData("--max-memory", "10kB")]
    public void Verify_ValueThatCannotBe_IsAUsageError(string option, string value) =>
        Refusal.AssertIs(ToolRun.Of("verify", model.Good, "--source", model.Source, option, value), ExitCode.Usage, "USAGE");

    [Theory]
    [InlineData("2", 0)]
    [InlineData("3", 0)]
    [InlineData("1", 14)]
    public void Verify_MaxCodeDiffs_AllowsThatMany(string allowed, int exit)
    {
        Verification done = Verification.Of(model.Damaged, model.Source, "--max-code-diffs", allowed);

        Assert.Equal(exit, (int)done.Exit);
        Assert.Equal((2, 0), done.Differing(VerifyModel.Up));
    }

    [Theory]
    [InlineData("""{"rules":[{"match":"*.up_proj","max_code_diffs":2}]}""", true)]
    [InlineData("""{"rules":[{"match":"*.up_proj.weight","max_code_diffs":2}]}""", true)]
    [InlineData("""{"default":{"max_code_diffs":2}}""", true)]
    [InlineData("""{"rules":[{"match":"*.up_proj","max_code_diffs":1}]}""", false)]
    [InlineData("""{"rules":[{"match":"*.q_proj","max_code_diffs":2}]}""", false)]
    [InlineData("""{"rules":[{"match":"*.up_proj","max_code_diffs":2},{"match":"*","max_code_diffs":0}]}""", false)]
    [InlineData("""{"default":{"max_code_diffs":2},"rules":[{"match":"*","min_snr":3}]}""", true)]
    public void Verify_Policy_TheLastFittingRuleDecides(string policy, bool passes)
    {
        string file = _folder.Write("policy.json", Encoding.UTF8.GetBytes(policy));

        Verification done = Verification.Of(model.Damaged, model.Source, "--policy", file);

        Assert.Equal(passes, done.Exit == ExitCode.Done);
        if (!passes) done.AssertOnlyFailed(VerifyModel.Up);
    }

    [Fact]
    public void Verify_CommandLineAndPolicy_TheCommandLineGoesFirst()
    {
        string file = _folder.Write("policy.json", """{"default":{"max_rel_error":0.01,"max_code_diffs":2}}"""u8);

        Verification.Passing(model.Damaged, model.Source, "--policy", file, "--max-rel-error", "0.2");
        Verification.Failing(model.Damaged, model.Source, "--policy", file);
        Verification.Failing(model.Damaged, model.Source, "--policy", file, "--max-rel-error", "0.2", "--max-code-diffs", "0");
    }

    [Fact]
    public void Verify_PolicyPatternWithoutALayer_IsARemark()
    {
        string file = _folder.Write("policy.json", """{"rules":[{"match":"*.gone","min_snr":3}]}"""u8);

        Assert.Contains(Verification.Passing(model.Good, model.Source, "--policy", file).Findings(), finding => finding is { Rule: "policy", Fails: false });
    }

    [Fact]
    public void Verify_BaselineOfTheSameRun_Passes()
    {
        Report(model.Good, "before.json");

        Verification done = Verification.Passing(model.Good, model.Source, "--baseline", _folder["before.json"]);

        Assert.DoesNotContain(done.Findings(), finding => finding.Rule == "regression");
    }

    [Fact]
    public void Verify_WorseThanTheBaseline_IsARegressionEvenWithinTheLimits()
    {
        Report(model.Good, "before.json");

        Verification done = Verification.Failing(model.Damaged, model.Source, "--baseline", _folder["before.json"], "--max-code-diffs", "100");

        done.AssertOnlyFailed(VerifyModel.Up);
        Assert.Equal(["regression"], done.Failures(VerifyModel.Up));
        Assert.Contains("differing codes: 0 in the baseline, 2 now", done.Findings(VerifyModel.Up)[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_BetterThanTheBaseline_Passes()
    {
        Report(model.Damaged, "before.json", ExitCode.VerificationFailed);

        Verification.Passing(model.Good, model.Source, "--baseline", _folder["before.json"]);
    }

    [Fact]
    public void Verify_BaselineWithASmallerError_NamesTheMetricAndTheLayer()
    {
        Report(model.Good, "before.json");
        JsonNode report = JsonNode.Parse(File.ReadAllText(_folder["before.json"]))!;
        JsonNode weight = report["layers"]!.AsArray().Single(layer => (string?)layer!["name"] == VerifyModel.Down)!["weight"]!;
        weight["relative_rmse"] = weight["relative_rmse"]!.GetValue<double>() / 1.02;
        File.WriteAllText(_folder["before.json"], report.ToJsonString());

        Verification done = Verification.Failing(model.Good, model.Source, "--baseline", _folder["before.json"]);

        done.AssertOnlyFailed(VerifyModel.Down);
        Assert.Contains("weight error: ", done.Findings(VerifyModel.Down)[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_SampleAgainstAWholeBaseline_CountsTheRestAsNotChecked()
    {
        Report(model.Good, "before.json");

        Verification done = Verification.Passing(model.Good, model.Source, "--baseline", _folder["before.json"], "--sample", "1");

        Assert.Contains(done.Findings(), finding => finding.Text.Contains("3 layers of the baseline not checked", StringComparison.Ordinal));
    }

    private void Report(string quantized, string name, ExitCode exit = ExitCode.Done) =>
        Assert.Equal(exit, ToolRun.Of("verify", quantized, "--source", model.Source, "--report", _folder[name]).Exit);

    /// <summary>A good checkpoint, and one with two codes of one layer changed.</summary>
    public sealed class Model : IDisposable
    {
        private readonly TempFolder _folder = new();

        public Model()
        {
            Source = VerifyModel.Source(_folder["source"]);
            Good = VerifyModel.Quantize(Source, _folder["good"]);
            Damaged = VerifyModel.Patched(Good, _folder["damaged"], VerifyModel.Up, data => (data[10], data[1000]) = ((byte)(data[10] ^ 8), (byte)(data[1000] ^ 8)));
        }

        public string Source { get; }

        public string Good { get; }

        public string Damaged { get; }

        public void Dispose() => _folder.Dispose();
    }
}
