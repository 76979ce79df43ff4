using System.Text.Json;
using System.Xml.Linq;
using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Verifying;
using Bnb.Quant.Backends;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>What a run prints, writes and answers, and that it does not depend on the machine.</summary>
public sealed class OutputTests(LimitTests.Model model) : IClassFixture<LimitTests.Model>, IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<KernelPath> Paths => [.. KernelPaths.Available];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("2")]
    [InlineData("7")]
    public void Verify_AnyThreads_GivesTheSameReport(string threads)
    {
        // Wide enough for several panels per layer.
        string source = CheckpointBuilder.SingleFile(_folder["source"],
            [NormalWeights.Of(VerifyModel.Query, "BF16", 1, 700, 1001), NormalWeights.Of(VerifyModel.Key, "BF16", 2, 300, 900)]);
        VerifyModel.Quantize(source, _folder["out"]);
        VerifyModel.Patched(_folder["out"], _folder["bad"], VerifyModel.Query, data => (data[5], data[340_000]) = ((byte)(data[5] ^ 8), (byte)(data[340_000] ^ 8)));

        Verification one = Verification.Failing(_folder["bad"], source, "--threads", "1");

        Assert.Equal(10, one.Count(VerifyModel.Query, "first_difference") / 2 * 2);
        Assert.Equal(one.Comparable, Verification.Failing(_folder["bad"], source, "--threads", threads).Comparable);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Verify_AnyKernelPath_AgreesWithTheReference(KernelPath path)
    {
        VerificationReport reference = Execute(KernelPath.Reference), report = Execute(path);

        Assert.Equal(path.ToString().ToLowerInvariant(), report.KernelPath);
        Assert.True(report.Layers.Single(layer => layer.Name == VerifyModel.Up) is { Passed: false, Faithfulness.CodesDiffering: 2 });
        foreach ((LayerResult expected, LayerResult actual) in reference.Layers.Zip(report.Layers))
        {
            Assert.Equal(expected.Faithfulness, actual.Faithfulness);
            Assert.Equal(expected.Weight, actual.Weight);
            Assert.Equal(expected.Histograms.CodeUse, actual.Histograms.CodeUse);
            Assert.Equal(expected.Passed, actual.Passed);
            Assert.Equal(1, actual.Gemm!.TotalRelativeError / expected.Gemm!.TotalRelativeError, 1e-3);
            Assert.Equal(1, actual.Gemm.KernelRelativeError / expected.Gemm.KernelRelativeError, 1e-2);
            Assert.InRange(actual.Gemm.KernelBoundUse, 0, 1);
        }
    }

    [Fact]
    public void Verify_Reports_AreWrittenInAllForms()
    {
        ToolRun run = ToolRun.Of(
            "verify", model.Damaged, "--source", model.Source, "--report", _folder["r.json"], "--report", _folder["r.xml"], "--report", _folder["r.md"],
            "--report", _folder["r.html"]);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.False(JsonElement.Parse(File.ReadAllText(_folder["r.json"])).GetProperty("passed").GetBoolean());
        Assert.Single(XDocument.Load(_folder["r.xml"]).Descendants("failure"));
        Assert.Contains("up_proj", File.ReadAllText(_folder["r.md"]), StringComparison.Ordinal);
        Assert.Contains("</html>", File.ReadAllText(_folder["r.html"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_Tables_NameTheFailedLayerAndTheReason()
    {
        ToolRun run = ToolRun.Of("verify", model.Damaged, "--source", model.Source);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.Contains("up_proj", run.Out, StringComparison.Ordinal);
        Assert.Contains("codes differ", run.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("error[", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_Quiet_SaysNothingButTheExitCode()
    {
        ToolRun run = ToolRun.Of("verify", model.Good, "--source", model.Source, "--verbosity", "quiet");

        Assert.Equal(new ToolRun(ExitCode.Done, "", ""), run);
    }

    [Theory]
    [InlineData("missing/r.json", ExitCode.OutputRefused, "REPORT-FILE")]
    [InlineData("folder.json", ExitCode.OutputRefused, "REPORT-FILE")]
    [InlineData("r.pdf", ExitCode.Usage, "REPORT-FORMAT")]
    [InlineData("r", ExitCode.Usage, "REPORT-FORMAT")]
    public void Verify_ReportThatCannotBe_IsRefusedBeforeTheWork(string name, object exit, string code)
    {
        Directory.CreateDirectory(_folder["folder.json"]);

        // Before even the source is looked for.
        Refusal.AssertIs(ToolRun.Of("verify", model.Good, "--source", _folder["none"], "--report", _folder[name]), (ExitCode)exit, code);
    }

    [Theory]
    [InlineData("none.json")]
    [InlineData("broken.json")]
    [InlineData("old.json")]
    public void Verify_BaselineThatIsNone_IsAUsageError(string name)
    {
        _folder.Write("broken.json", "{\"schema_version\":"u8);
        _folder.Write("old.json", """{"schema_version":0,"layers":[]}"""u8);

        Refusal.AssertIs(ToolRun.Of("verify", model.Good, "--source", model.Source, "--baseline", _folder[name]), ExitCode.Usage, "BASELINE-FILE");
    }

    [Fact]
    public void Verify_NotQuantized_IsUnsupported() =>
        Refusal.AssertIs(ToolRun.Of("verify", model.Source, "--source", model.Source), ExitCode.InputUnsupported, "NOT-QUANTIZED");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Verify_MissingFolder_IsMissing(bool source)
    {
        ToolRun run = ToolRun.Of("verify", source ? model.Good : _folder["none"], "--source", source ? _folder["none"] : model.Source);

        Assert.Equal(ExitCode.InputMissing, run.Exit);
        Refusal.AssertHarmless(run.Error);
    }

    [Fact]
    public void Verify_NoSource_IsAUsageError() => Refusal.AssertIs(ToolRun.Of("verify", model.Good), ExitCode.Usage, "USAGE");

    private VerificationReport Execute(KernelPath path) => VerifyRun.Execute(
        new VerifyRequest { QuantizedPath = model.Damaged, SourcePath = model.Source, KernelPath = path },
        NoEvents.Instance,
        CancellationToken.None);
}
