using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using System.Xml.Linq;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Errors;
using Bnb.Engine.Reports.Verification;
using Bnb.Engine.Sampling;
using Bnb.Engine.Verifying;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verification;

public class FileReportTests
{
    [Theory]
    [InlineData("report")]
    [InlineData("report.txt")]
    [InlineData("folder.md/report")]
    public void ForFile_UnknownExtension_NamesTheFour(string path)
    {
        var error = Assert.Throws<UserErrorException>(() => VerificationReportWriters.ForFile(path));

        Assert.Equal(ExitCode.Usage, error.Exit);
        foreach (string extension in new[] { ".json", ".xml", ".md", ".html" }) Assert.Contains(extension, error.Action, StringComparison.Ordinal);
    }

    [Fact]
    public void ForFile_UpperCase_IsTheSameFormat() => Assert.IsType<HtmlReportWriter>(VerificationReportWriters.ForFile("A.HTML"));

    [Fact]
    public void WriteJunit_DamagedModel_CountsWhatItHolds()
    {
        VerificationReport report = SampleReports.Model(damaged: true, blocks: 20);
        XElement suite = Xml(report).Root!.Element("testsuite")!;

        Assert.Equal(report.Layers.Count + 1, suite.Elements("testcase").Count());
        Assert.Equal((string?)suite.Attribute("tests"), suite.Elements("testcase").Count().ToString(CultureInfo.InvariantCulture));
        Assert.Equal((string?)suite.Attribute("failures"), suite.Descendants("failure").Count().ToString(CultureInfo.InvariantCulture));
        Assert.Equal(3, suite.Descendants("failure").Count());
        XElement failed = suite.Elements("testcase").Single(test => (string?)test.Attribute("name") == "model.layers.5.mlp.up_proj.weight");
        Assert.Equal("model.layers.5.mlp.up_proj", (string?)failed.Attribute("classname"));
        Assert.Contains("rel-error: 141.42 % found", failed.Element("failure")!.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void WriteJunit_HostileNamesAndTexts_IsLegalXml()
    {
        VerificationReport report = Hostile();
        XElement suite = Xml(report).Root!.Element("testsuite")!;

        Assert.Equal(report.Layers.Count + 1, suite.Elements("testcase").Count());
        Assert.Contains(suite.Elements("testcase"), test => ((string)test.Attribute("name")!).Contains("not\\ufffe\\uffffxml ]]> &amp;", StringComparison.Ordinal));
    }

    [Fact]
    public void WriteJunit_NoLayersAndNoFindings_StillHasTheCheckpoint() =>
        Assert.Equal("checkpoint", (string?)Assert.Single(Xml(SampleReports.Of()).Descendants("testcase")).Attribute("name"));

    [Fact]
    public void WriteJunit_DamagedModel_HasTotalsAndTimesOnBothLevels()
    {
        XElement root = Xml(SampleReports.Model(damaged: true, blocks: 20)).Root!, suite = root.Element("testsuite")!;

        foreach (string name in (string[])["name", "tests", "failures", "errors", "skipped", "time"])
            Assert.Equal((string?)suite.Attribute(name), (string?)root.Attribute(name));
        Assert.All(suite.Elements("testcase"), test => Assert.NotNull(test.Attribute("time")));
    }

    [Fact]
    public void WriteMarkdown_DamagedModel_HasVerdictFailuresAndTables()
    {
        string text = JsonReportTests.Text(".md", SampleReports.Model(damaged: true));

        Assert.Contains("**FAILED: 2 of 224 layers, 1 checkpoint finding", text, StringComparison.Ordinal);
        Assert.Contains("- checkpoint: **structure** model.norm.weight is missing", text, StringComparison.Ordinal);
        Assert.Contains("### Worst 10 layers", text, StringComparison.Ordinal);
        Assert.Contains("<details><summary>All 224 layers", text, StringComparison.Ordinal);
    }

    [Fact]
    public void WriteMarkdown_HostileNames_AddNoCellsMarkupOrLinks()
    {
        string text = JsonReportTests.Text(".md", Hostile());

        foreach (string line in text.Split('\n').Where(line => line.StartsWith("| ❌", StringComparison.Ordinal)))
            Assert.Equal(10, line.Count(static c => c == '|'));
        foreach (string markup in new[] { "<script", "](", "@user", "*star*", "<b>", "www.e", "\u001b", "\u202e" })
            Assert.DoesNotContain(markup, text, StringComparison.Ordinal);
    }

    [Fact]
    public void WriteMarkdown_ManyLayers_StaysWithinASummaryPage()
    {
        LayerResult layer = SampleReports.Layer(new string('<', 300), 0.2, SampleReports.Failure(new string('&', 200)));
        string text = JsonReportTests.Text(".md", SampleReports.Of([.. Enumerable.Repeat(layer, 20_000)]));

        Assert.True(System.Text.Encoding.UTF8.GetByteCount(text) < 1 << 20, $"{text.Length}");
    }

    [Fact]
    public void WriteHtml_AnyReport_LoadsAndRunsNothing()
    {
        foreach (VerificationReport report in new[] { SampleReports.Of(), Hostile(), SampleReports.Model(damaged: true), SampleReports.Model(false, "fp4", 2) })
        {
            string page = JsonReportTests.Text(".html", report);
            foreach (string forbidden in new[] { "<script", "<img", "<link", "src=", "href=", "url(", "\u001b", "\u202e" })
                Assert.DoesNotContain(forbidden, page, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("NaN\"", page, StringComparison.Ordinal);
            Assert.DoesNotContain("Infinity", page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void WriteHtml_DamagedModel_IsWellFormedAndShowsEveryLayer()
    {
        VerificationReport report = SampleReports.Model(damaged: true);
        string page = JsonReportTests.Text(".html", report);
        XElement main = XElement.Parse(page[page.IndexOf("<main>", StringComparison.Ordinal)..(page.IndexOf("</main>", StringComparison.Ordinal) + 7)]
            .Replace("<wbr>", "", StringComparison.Ordinal));

        Assert.Equal(report.Layers.Count, main.Descendants("tbody").Single().Elements("tr").Count());
        Assert.Equal("failed", (string?)main.Descendants("tbody").Single().Elements("tr").First().Attribute("class"));
        Assert.Equal(224 + 16 + 40, main.Descendants("rect").Count());
    }

    [Fact]
    public void WriteHtml_LimitWithinThePicture_IsDrawn()
    {
        string page = JsonReportTests.Text(".html", SampleReports.Model(damaged: false));
        string far = JsonReportTests.Text(".html", SampleReports.Of(SampleReports.NotFinite("a", 0.09) with { Weight = SampleReports.Layer().Weight with { Limit = 50 } }));

        Assert.Contains("<polyline class=\"limit\"", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<polyline class=\"limit\"", far, StringComparison.Ordinal);
    }

    [Fact]
    public void WriteHtml_LayersTwoAndTen_AreDrawnInThatOrder()
    {
        string page = JsonReportTests.Text(".html", SampleReports.Of(
            SampleReports.Layer("model.layers.10.a.weight"), SampleReports.Layer("model.layers.2.a.weight", 0.5)));
        string chart = page[page.IndexOf("<h2>Weight error by layer", StringComparison.Ordinal)..];
        string table = page[page.IndexOf("<h2>All layers", StringComparison.Ordinal)..].Replace("<wbr>", "", StringComparison.Ordinal);

        Assert.True(chart.IndexOf("layers.2.a", StringComparison.Ordinal) < chart.IndexOf("layers.10.a", StringComparison.Ordinal));
        Assert.True(table.IndexOf("layers.2.a", StringComparison.Ordinal) < table.IndexOf("layers.10.a", StringComparison.Ordinal));
    }

    [Fact]
    public void Verify_WithReports_NamesTheCommandTheSizesAndTheHashes()
    {
        using var temp = new TempFolder();
        SampleCheckpoint.Small.Write(temp["llama"]);
        ToolRun.Succeed("quantize", temp["llama"], "--output", temp["nf4"]);
        ToolRun.Succeed("verify", temp["nf4"], "--source", temp["llama"], "--include", "*.q_proj*", "--include", "*", "--tokens", "0",
            "--report", temp["r.html"], "--report", temp["r.json"], "--report", temp["r.md"], "--report", temp["r.xml"]);
        string hash = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(temp["nf4", "model.safetensors"])));
        string page = File.ReadAllText(temp["r.html"]);

        Assert.Contains(hash, page, StringComparison.Ordinal);
        Assert.Contains("38.3 %", page, StringComparison.Ordinal);
        Assert.Contains("&#39;*.q_proj*&#39;", page, StringComparison.Ordinal);
        JsonElement report = JsonDocument.Parse(File.ReadAllText(temp["r.json"])).RootElement;
        Assert.Equal(hash, report.GetProperty("quantized_files")[0].GetProperty("sha256").GetString());
        Assert.Equal(JsonValueKind.Null, report.GetProperty("source_files")[0].GetProperty("sha256").ValueKind);
        Assert.StartsWith($"dotnet bnb verify {temp["nf4"]} --source", report.GetProperty("command").GetString(), StringComparison.Ordinal);
        foreach (string file in (string[])["r.md", "r.xml"]) Assert.Contains("*.q_proj*", WebUtility.HtmlDecode(File.ReadAllText(temp[file])), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.MaxValue)]
    [InlineData(double.Epsilon)]
    public void Write_ExtremeErrors_GiveEveryFormatAndTable(double error)
    {
        VerificationReport report = SampleReports.Of(SampleReports.NotFinite("a", error), SampleReports.NotFinite("b", -error), SampleReports.Layer());

        foreach (string extension in VerificationReportWriters.Extensions) Assert.NotEmpty(JsonReportTests.Text(extension, report));
        Assert.NotEmpty(Screen(report));
    }

    [Fact]
    public void WriteTables_DamagedModel_ShowsTheWorstTwentyAndEndsWithTheVerdict()
    {
        VerificationReport report = SampleReports.Model(damaged: true);
        string[] lines = Screen(report).TrimEnd().Split('\n');

        Assert.StartsWith("FAILED: 2 of 224 layers", lines[^1], StringComparison.Ordinal);
        Assert.Equal(20, lines.Count(static line => line.TrimEnd().EndsWith(" ok", StringComparison.Ordinal) || line.TrimEnd().EndsWith(" FAILED", StringComparison.Ordinal)));
        Assert.Contains(lines, static line => line.StartsWith("... and 204 more layers, all passed", StringComparison.Ordinal));
        Assert.Equal(224, Screen(report, Verbosity.Detailed).Split('\n').Count(static line => line.Contains("nf4 b64 double", StringComparison.Ordinal)));
    }

    [Fact]
    public void WriteTables_CleanRuns_SayWhatWasVerified()
    {
        VerificationReport one = SampleReports.Of(SampleReports.Layer());

        Assert.EndsWith("verified: 1 layer, 0 of 45,088,768 codes differ, weight error up to 9.20 % (theory 9.20 %)\n", Screen(one), StringComparison.Ordinal);
        Assert.Contains("verified a sample: 1 of 5 layers", Screen(one with { LayersInCheckpoint = 5 }), StringComparison.Ordinal);
        Assert.EndsWith("verified nothing: no quantized layer was checked\n", Screen(SampleReports.Of()), StringComparison.Ordinal);
    }

    [Fact]
    public void WriteTables_OneRemarkOnEveryLayer_IsShownThreeTimesAndCounted()
    {
        var remark = new Finding("rel-error", "far from normal", Fails: false);
        var other = new Finding("code-diffs", "ties", Fails: false);
        VerificationReport report = SampleReports.Of(
            [.. Enumerable.Range(0, 30).Select(i => SampleReports.Layer($"layer{i}.weight", 0.15, i == 7 ? [remark, other] : [remark]))]);

        string screen = Screen(report);

        Assert.Equal(3, screen.Split('\n').Count(static line => line.Contains("far from normal", StringComparison.Ordinal)));
        Assert.Contains("ties", screen, StringComparison.Ordinal);
        Assert.Contains("... and 27 more findings; --verbosity detailed lists them", screen, StringComparison.Ordinal);
        Assert.Equal(30, Screen(report, Verbosity.Detailed).Split('\n').Count(static line => line.Contains("far from normal", StringComparison.Ordinal)));
    }

    [Fact]
    public void WriteTables_HostileNames_SendNoControlCharacters() =>
        Assert.DoesNotContain(Screen(Hostile()), static c => c != '\n' && (char.IsControl(c) || c is '\u202e' or '\u2028'));

    [Fact]
    public void Percent_SmallButNotZero_DoesNotReadAsNone()
    {
        Assert.Equal("0.00 %", VerificationText.Percent(0));
        Assert.Equal("< 0.01 %", VerificationText.Percent(1e-9));
        Assert.Equal("0.236 %", VerificationText.KernelPercent(0.002361));
        Assert.Equal("∞", VerificationText.Percent(double.PositiveInfinity));
    }

    private static VerificationReport Hostile() =>
        SampleReports.Of([.. SampleReports.HostileNames.Select(name => SampleReports.Layer(name, 0.2, SampleReports.Failure("text | <b> \uffff ` @user")))]) with
        {
            Quantized = "/tmp/<script>\u001b|`",
            Source = "\ud800",
            Sample = "<b>",
        };

    private static XDocument Xml(VerificationReport report) => XDocument.Parse(JsonReportTests.Text(".xml", report));

    private static string Screen(VerificationReport report, Verbosity verbosity = Verbosity.Normal)
    {
        var terminal = new FakeTerminal();
        VerificationScreen.Write(report, terminal, verbosity);
        return terminal.OutText;
    }
}
