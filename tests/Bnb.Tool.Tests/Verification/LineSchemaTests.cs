using System.Text.Json;
using System.Text.RegularExpressions;
using Bnb.Cli.Terminal;
using Bnb.Engine.Events;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verification;

/// <summary>Every line that --json prints against the schema of its type, on real output.</summary>
public sealed class LineSchemaTests : IClassFixture<LineSchemaTests.Models>
{
    private readonly Models _models;

    public LineSchemaTests(Models models) => _models = models;

    [Theory]
    [InlineData("quantize", "llama", "--output", "out")]
    [InlineData("quantize", "llama", "--output", "out8", "--type", "int8")]
    [InlineData("quantize", "llama", "--dry-run", "--type", "int4")]
    [InlineData("quantize", "llama", "--dry-run", "--fits", "1GiB", "--context", "4096")]
    [InlineData("quantize", "llama", "--print-config")]
    [InlineData("explain", "llama")]
    [InlineData("finish", "nf4")]
    [InlineData("inspect", "llama")]
    [InlineData("inspect", "nf4", "--fits", "1GiB")]
    [InlineData("inspect", "int4", "--fits", "1MB", "--context", "100")]
    [InlineData("verify", "nf4", "--source", "llama")]
    [InlineData("dequantize", "nf4", "--output", "back")]
    [InlineData("diff", "llama", "nf4")]
    [InlineData("diff", "nf4", "fp4", "--all")]
    [InlineData("diff", "nf4", "int4")]
    [InlineData("verify", "nf4", "--manifest")]
    [InlineData("lint", "nf4")]
    [InlineData("plan", "llama", "--target-bits", "7")]
    [InlineData("init", "llama", "--output", "back")]
    [InlineData("evaluate", "nf4", "--source", "llama", "--tokens", "64", "--context", "32")]
    [InlineData("devices")]
    [InlineData("codes")]
    [InlineData("inspect", "llama-that-is-not-there")]
    [InlineData("quantize", "llama", "--bits", "4")]
    public void Line_OfEachCommand_FitsItsSchema(params string[] args)
    {
        ToolRun run = ToolRun.Of([.. _models.Located(args), "--json"]);

        foreach (JsonElement line in JsonResult.Lines(run))
            Assert.Empty(ReportSchema.Problems(line.GetRawText(), SchemaOf(line.GetProperty("type").GetString()!)));
    }

    [Fact]
    public void Line_OfProgress_FitsItsSchemaAndCounts()
    {
        var terminal = new FakeTerminal();
        var progress = new PipelineProgress(1000) { Current = "a.weight" };
        progress.Add(400);
        progress.Current = "b.weight";
        using (new JsonProgress(terminal, progress, TimeSpan.FromMilliseconds(1)))
            Assert.True(SpinWait.SpinUntil(() => terminal.OutText.Contains('\n', StringComparison.Ordinal), TimeSpan.FromSeconds(60)));

        string line = terminal.OutText.Split('\n')[0];
        Assert.Empty(ReportSchema.Problems(line, SchemaOf("progress")));
        Assert.StartsWith("{\"type\":\"progress\",\"bytes_done\":400,\"bytes_total\":1000,\"tensors_begun\":2,\"current\":\"b.weight\",", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Types_ThatTheCodeWrites_HaveASchemaEach()
    {
        IEnumerable<string> types = Directory.EnumerateFiles(Path.Combine(Golden.RepositoryRoot, "tool"), "*Json*.cs", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(Path.Combine(Golden.RepositoryRoot, "tool", "Cli"), "*.cs", SearchOption.AllDirectories))
            .SelectMany(path => Regex.Matches(File.ReadAllText(path), "WriteString\\(\"type\", (?:.* : )?\"([a-z]+)\"\\)")).Select(match => match.Groups[1].Value).Distinct();

        Assert.InRange(types.Count(), 15, 40);
        Assert.All(types, type => Assert.True(File.Exists(Path.Combine(Golden.RepositoryRoot, "docs", SchemaOf(type))), type));
    }

    [Fact]
    public void Schemas_All_HaveAUrnOfTheirOwn()
    {
        string[] ids = [.. Directory.EnumerateFiles(Path.Combine(Golden.RepositoryRoot, "docs", "schemas"), "*.schema.json")
            .Select(path => new ReportSchema("schemas/" + Path.GetFileName(path)).Id).Append(new ReportSchema("verify-report.schema.json").Id)];

        Assert.All(ids, id => Assert.StartsWith("urn:dotnet-bnb:schema:", id, StringComparison.Ordinal));
        Assert.Equal(ids.Length, ids.Distinct().Count());
    }

    private static string SchemaOf(string type) => type switch
    {
        "verification" => "verify-report.schema.json",
        "plan" => "schemas/quantized.schema.json",
        _ => $"schemas/{type}.schema.json",
    };

    /// <summary>Made once.</summary>
    public sealed class Models : IDisposable
    {
        private static readonly string[] Folders = ["nf4", "fp4", "int4", "out", "out8", "back"];

        private readonly TempFolder _temp = new();

        public Models()
        {
            SampleCheckpoint.Small.Write(_temp["llama"]);
            foreach (string type in (string[])["nf4", "fp4", "int4"]) ToolRun.Succeed("quantize", _temp["llama"], "--output", _temp[type], "--type", type);
        }

        public void Dispose() => _temp.Dispose();

        /// <summary>The second and later words that name a folder; behind --type stands a type.</summary>
        internal IReadOnlyList<string> Located(string[] args) =>
            [.. args.Select((word, i) => i > 0 && args[i - 1] != "--type" && (word.StartsWith("llama", StringComparison.Ordinal) || Folders.Contains(word)) ? _temp[word] : word)];
    }
}
