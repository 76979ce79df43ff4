using System.Globalization;
using System.Text.Json;
using Bnb.Engine.Reports.Verification;
using Bnb.Engine.Verifying;
using Xunit;

namespace Bnb.Tool.Tests.Verification;

public class JsonReportTests
{
    [Fact]
    public void Write_AllKindsOfReports_FitTheSchema()
    {
        VerificationReport[] reports =
        [
            SampleReports.Of(),
            SampleReports.Model(damaged: true, blocks: 20) with { Sample = "10%", Seed = ulong.MaxValue },
            SampleReports.Of([.. SampleReports.HostileNames.Select(name => SampleReports.Layer(name, 0.1, SampleReports.Failure()))]),
            SampleReports.Of(SampleReports.NotFinite("a", double.NaN), SampleReports.NotFinite("b", double.NegativeInfinity)),
            SampleReports.Of(SampleReports.Layer() with { Gemm = null }),
            SampleReports.Of(SampleReports.IntegerLayers),
        ];

        foreach (VerificationReport report in reports)
        {
            Assert.Empty(ReportSchema.Problems(Json(report)));
            Assert.Empty(ReportSchema.Problems(VerificationReportJsonLine.Of(report)));
        }
    }

    [Fact]
    public void Problems_MissingForeignAndWrongMembers_AreFound()
    {
        string json = Json(SampleReports.Of(SampleReports.Layer()));

        Assert.NotEmpty(ReportSchema.Problems(json.Replace("\"seed\":", "\"sead\":", StringComparison.Ordinal)));
        Assert.NotEmpty(ReportSchema.Problems(json.Replace("\"symmetric\": null,", "", StringComparison.Ordinal)));
        Assert.NotEmpty(ReportSchema.Problems(json.Replace("\"symmetric\": null", "\"symmetric\": 1", StringComparison.Ordinal)));
        Assert.NotEmpty(ReportSchema.Problems(json.Replace("\"blocksize\": 64", "\"blocksize\": \"64\"", StringComparison.Ordinal)));
        Assert.NotEmpty(ReportSchema.Problems(json.Replace("\"activation_relative_error\": 0", "\"activation_relative_error\": null", StringComparison.Ordinal)));
        Assert.NotEmpty(ReportSchema.Problems(json.Replace("\"nf4\"", "\"int3\"", StringComparison.Ordinal)));
        Assert.NotEmpty(ReportSchema.Problems(json.Replace("\"bfloat16\"", "\"bf16\"", StringComparison.Ordinal)));
        Assert.NotEmpty(ReportSchema.Problems(json.Replace("\"cosine\": 0", "\"cosine\": null, \"x\": 0", StringComparison.Ordinal)));
    }

    [Fact]
    public void Write_Numbers_ReadBackAsTheSameValues()
    {
        const double Error = 0.1 + 0.2;
        VerificationReport report = SampleReports.Of(
            SampleReports.Layer("a", Error),
            SampleReports.NotFinite("b", double.PositiveInfinity)) with
        { Seed = ulong.MaxValue };
        JsonElement root = JsonDocument.Parse(Json(report)).RootElement;
        JsonElement layers = root.GetProperty("layers");

        Assert.Equal(ulong.MaxValue, root.GetProperty("seed").GetUInt64());
        Assert.Equal(Error, layers[0].GetProperty("weight").GetProperty("relative_rmse").GetDouble());
        Assert.Equal(JsonValueKind.Null, layers[0].GetProperty("faithfulness").GetProperty("first_difference").ValueKind);
        Assert.Equal("Infinity", layers[1].GetProperty("weight").GetProperty("snr_db").GetString());
    }

    [Fact]
    public void Write_IntegerLayers_HaveNullWhereThereIsNothing()
    {
        JsonElement layers = JsonDocument.Parse(Json(SampleReports.Of(SampleReports.IntegerLayers))).RootElement.GetProperty("layers");

        Assert.Equal(["null", "128", "32"], layers.EnumerateArray().Select(layer => layer.GetProperty("blocksize").GetRawText()));
        Assert.Equal(["null", "true", "false"], layers.EnumerateArray().Select(layer => layer.GetProperty("symmetric").GetRawText()));
        Assert.Equal([0.0071, 0, 0], layers.EnumerateArray().Select(layer => layer.GetProperty("gemm").GetProperty("activation_relative_error").GetDouble()));
    }

    [Fact]
    public void Write_NotANumber_IsTheWorstLayer()
    {
        VerificationReport report = SampleReports.Of(SampleReports.NotFinite("broken", double.NaN), SampleReports.Layer("fine", 0.5));

        Assert.Equal("broken", JsonDocument.Parse(Json(report)).RootElement.GetProperty("worst_layer").GetString());
    }

    [Fact]
    public void Write_OtherCulture_ChangesNothing()
    {
        VerificationReport report = SampleReports.Of(SampleReports.Layer("a", 0.0925, SampleReports.Failure()));
        List<string> invariant = Everything();
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            var commas = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            commas.NumberFormat.NumberDecimalSeparator = ",";
            commas.NumberFormat.NumberGroupSeparator = ".";
            commas.NumberFormat.NegativeSign = "~";
            CultureInfo.CurrentCulture = commas;

            Assert.Equal(invariant, Everything());
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }

        List<string> Everything() => [.. VerificationReportWriters.Extensions.Select(extension => Text(extension, report))];
    }

    /// <summary>A report as the writer of that extension makes it.</summary>
    internal static string Text(string extension, VerificationReport report)
    {
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        VerificationReportWriters.ForFile("report" + extension).Write(report, output);
        return output.ToString();
    }

    private static string Json(VerificationReport report) => Text(".json", report);
}
