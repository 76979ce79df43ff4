using System.Text;
using Bnb.Engine.Errors;
using Bnb.Engine.Reports.Verification;
using Bnb.Engine.Verifying;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verification;

public class BaselineTests
{
    private static readonly LayerResult Old = SampleReports.Layer("a.weight", 0.1);

    [Fact]
    public void Compare_SameReport_AddsNothing()
    {
        VerificationReport report = SampleReports.Model(damaged: true, blocks: 20);
        VerificationReport compared = From(report).Compare(report);

        Assert.Equal(report.Findings, compared.Findings);
        Assert.Equal(report.Layers.SelectMany(static layer => layer.Findings), compared.Layers.SelectMany(static layer => layer.Findings));
    }

    [Theory]
    [InlineData(0.1, 0.1009, true)]
    [InlineData(0.1, 0.1011, false)]
    [InlineData(0.1, 0.05, true)]
    [InlineData(0, 5e-10, true)]
    [InlineData(0, 2e-9, false)]
    [InlineData(0.1, double.NaN, false)]
    [InlineData(0.1, double.PositiveInfinity, false)]
    [InlineData(double.NaN, 0.1, true)]
    [InlineData(double.NaN, double.NaN, true)]
    [InlineData(double.PositiveInfinity, double.PositiveInfinity, true)]
    public void Compare_WeightError_FailsWhenItGrewByMoreThanOnePercent(double before, double after, bool passes)
    {
        VerificationReport compared = From(Old.WithError(before)).Compare(SampleReports.Of(Old.WithError(after)));

        Assert.Equal(passes, compared.Passed);
        if (!passes) Assert.StartsWith("weight error: ", Assert.Single(compared.Layers[0].Findings).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_AnyOtherGrowth_FailsTheLayer()
    {
        GemmError gemm = Old.Gemm!;
        Fails("product error", Old with { Gemm = gemm with { TotalRelativeError = gemm.TotalRelativeError * 1.02 } });
        Fails("kernel error", Old with { Gemm = gemm with { KernelRelativeError = gemm.KernelRelativeError * 1.02 } });
        Fails("differing codes", Old.WithCodesDiffering(1));
        Fails("differing absmax", Old with { Faithfulness = Old.Faithfulness with { AbsmaxDiffering = 1 } });

        static void Fails(string what, LayerResult now)
        {
            Finding finding = Assert.Single(From(Old).Compare(SampleReports.Of(now)).Layers[0].Findings);
            Assert.Equal((Baseline.Rule, true), (finding.Rule, finding.Fails));
            Assert.Contains(what, finding.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Compare_RemarksOfTheLayer_StayBehindTheFailures()
    {
        var remark = new Finding("BNB0001", "a remark", false);
        VerificationReport compared = From(Old).Compare(SampleReports.Of(Old.WithCodesDiffering(1) with { Findings = [remark] }));

        Assert.Equal([true, false], compared.Layers[0].Findings.Select(static finding => finding.Fails));
    }

    [Fact]
    public void Compare_OtherComputeTypeOrNoProduct_OnlyRemarks()
    {
        LayerResult other = Old with { Gemm = Old.Gemm! with { ComputeDType = "float16", KernelRelativeError = 1 } };

        Assert.False(Assert.Single(From(Old).Compare(SampleReports.Of(other)).Layers[0].Findings).Fails);
        Assert.False(Assert.Single(From(Old).Compare(SampleReports.Of(Old with { Gemm = null })).Layers[0].Findings).Fails);
        Assert.Empty(From(Old with { Gemm = null }).Compare(SampleReports.Of(Old)).Layers[0].Findings);
    }

    [Fact]
    public void Compare_LayerGone_FailsTheCheckpoint()
    {
        VerificationReport compared = From(Old, SampleReports.Layer("b.weight")).Compare(SampleReports.Of(Old));

        Finding finding = Assert.Single(compared.Findings);
        Assert.True(finding.Fails);
        Assert.Contains("b.weight", finding.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_Sample_TellsGoneFromNotChecked()
    {
        Baseline baseline = From(Old, SampleReports.Layer("b.weight"), SampleReports.Layer("c.weight"));
        VerificationReport sample = SampleReports.Of(Old) with { LayersInCheckpoint = 2 };

        Assert.Equal("2 layers of the baseline not checked in this run", Assert.Single(baseline.Compare(sample).Findings).Text);
        IReadOnlyList<Finding> known = baseline.Compare(sample, ["a.weight", "b.weight"]).Findings;
        Assert.Contains("c.weight", Assert.Single(known, static finding => finding.Fails).Text, StringComparison.Ordinal);
        Assert.Contains("1 layer of", Assert.Single(known, static finding => !finding.Fails).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_NewLayers_AreOneRemark()
    {
        VerificationReport report = SampleReports.Of([Old, .. Enumerable.Range(0, 9).Select(i => SampleReports.Layer($"new.{i}.weight"))]);

        Finding finding = Assert.Single(From(Old).Compare(report).Findings);
        Assert.False(finding.Fails);
        Assert.StartsWith("9 layers not in the baseline: new.0.weight, ", finding.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_LineFromStandardOutput_IsABaselineToo() =>
        Assert.True(Read(VerificationReportJsonLine.Of(SampleReports.Of(Old))).Compare(SampleReports.Of(Old)).Passed);

    [Theory]
    [InlineData("\"schema_version\": 1", "\"schema_version\": 2", "schema_version")]
    [InlineData("\"schema_version\": 1", "\"schema_version\": \"1\"", "schema_version")]
    [InlineData("\"schema_version\": 1,", "", "schema_version")]
    [InlineData("\"relative_rmse\": 0.1", "\"relative_rmse\": \"big\"", "layers[0].weight.relative_rmse")]
    [InlineData("\"compute_dtype\"", "\"dtype\"", "layers[0].gemm.compute_dtype")]
    [InlineData("\"codes_differing\": 0,\n        \"codes_ex", "\"codes_differing\": -1,\n        \"codes_ex", "layers[0].faithfulness.codes_differing")]
    [InlineData("\"b.weight\"", "\"a.weight\"", "layers[1].name")]
    public void Read_WrongMember_NamesIt(string good, string wrong, string member)
    {
        string json = JsonReportTests.Text(".json", SampleReports.Of(Old, SampleReports.Layer("b.weight")));
        string changed = json.Replace(good, wrong, StringComparison.Ordinal);
        Assert.NotEqual(json, changed);

        var error = Assert.Throws<UserErrorException>(() => Read(changed));

        Assert.Equal((ExitCode.Usage, Baseline.ErrorCode), (error.Exit, error.Code));
        Assert.Contains(("member", member), error.Facts);
    }

    private static Baseline From(params IReadOnlyList<LayerResult> layers) => From(SampleReports.Of(layers));

    private static Baseline From(VerificationReport report) => Read(JsonReportTests.Text(".json", report));

    private static Baseline Read(string json)
    {
        using var folder = new TempFolder();
        return Baseline.Read(folder.Write("baseline.json", Encoding.UTF8.GetBytes(json)));
    }
}
