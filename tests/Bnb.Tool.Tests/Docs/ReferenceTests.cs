using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Bnb.Engine.Errors;
using Bnb.Engine.Sampling;
using Bnb.Quant.Backends;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Docs;

/// <summary>The tables of docs/cli.md against the help and the code.</summary>
public sealed partial class ReferenceTests
{
    private static readonly Document Cli = Document.Read("docs/cli.md");

    [Theory]
    [InlineData("quantize")]
    [InlineData("plan")]
    [InlineData("init")]
    [InlineData("finish")]
    [InlineData("lint")]
    [InlineData("verify")]
    [InlineData("dequantize")]
    [InlineData("inspect")]
    [InlineData("explain")]
    [InlineData("diff")]
    [InlineData("evaluate")]
    [InlineData("devices")]
    [InlineData("codes")]
    [InlineData("demo")]
    public void Options_OfEachCommand_AreThoseOfTheHelpWithTheSameDefaults(string command)
    {
        Dictionary<string, string?> help = OptionsInHelp(command);
        var documented = Document.Rows(Cli.Section("## " + command))
            .Concat(Document.Rows(Cli.Section("## Options of every command")))
            // A section may have other tables.
            .Where(row => row[0].StartsWith("`--", StringComparison.Ordinal))
            .ToDictionary(row => LongName().Match(row[0]).Value, row => row[1]);

        Assert.Equal(help.Keys.Order(StringComparer.Ordinal), documented.Keys.Order(StringComparer.Ordinal));
        foreach ((string option, string? value) in help)
            if (value is not null) Assert.Equal((option, value), (option, documented[option]));
    }

    [Fact]
    public void Options_NamedAnywhereInCli_Exist()
    {
        HashSet<string> known = [.. CommandsInHelp().SelectMany(command => OptionsInHelp(command).Keys), "--version"];

        Assert.All(LongName().Matches(Cli.Text), match => Assert.Contains(match.Value, known));
    }

    [Fact]
    public void Commands_InRootHelp_HaveASection() =>
        Assert.All(CommandsInHelp(), command => Assert.Contains("## " + command, Cli.Lines));

    [Fact]
    public void ExitCodes_InCli_AreThoseOfTheCode()
    {
        IEnumerable<int> documented = Document.Rows(Cli.Section("## Exit codes"))
            .SelectMany(row => row[0].Split(", ")).Select(code => int.Parse(code, CultureInfo.InvariantCulture));

        Assert.Equal(Enum.GetValues<ExitCode>().Select(code => (int)code), documented);
    }

    [Fact]
    public void BnbRules_InFormats_AreThoseOfTheCode()
    {
        IEnumerable<string> documented = Document.Rows(Document.Read("docs/formats.md").Section("### Rules of the layout"))
            .Select(row => row[0].Trim('`'));
        IEnumerable<string> inCode = Directory.EnumerateFiles(Document.PathOf("formats/BitsAndBytes"), "*.cs")
            .SelectMany(file => QuotedRule().Matches(File.ReadAllText(file))).Select(match => match.Groups[1].Value).Distinct();

        Assert.Equal(inCode.Order(StringComparer.Ordinal), documented);
    }

    /// <summary>Rules of layouts aside, which have tables in docs/formats.md.</summary>
    [Fact]
    public void FindingRules_InCli_AreThoseOfTheCode()
    {
        string[] folders = ["tool/Engine/Verifying"];
        string[] sources =
            [.. folders.SelectMany(folder => Directory.EnumerateFiles(Document.PathOf(folder), "*.cs")).Select(File.ReadAllText)];
        IEnumerable<string> inCode = sources
            .SelectMany(text => FindingRule().Matches(text).Concat(RuleConstant().Matches(text)))
            .Select(match => match.Groups[1].Value).Distinct();
        IEnumerable<string> documented = Document.Rows(Cli.Section("### Findings"))
            .Where(row => row.Length == 3 && row[0].StartsWith('`') && !LayoutRule().IsMatch(row[0]))
            .Select(row => row[0].Trim('`'));

        // The second table of the section lists causes, whose names stand in LayerJudge.
        string judge = File.ReadAllText(Document.PathOf("tool/Engine/Verifying/LayerJudge.cs"));
        IEnumerable<string> causes = Cause().Matches(judge).Select(match => match.Groups[1].Value).Distinct();
        Assert.Equal(inCode.Concat(causes).Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void KernelPaths_InCli_AreAllThereAre()
    {
        string row = Cli.Section("## Environment").Single(line => line.Contains(KernelPaths.Variable, StringComparison.Ordinal));

        foreach (string path in Enum.GetNames<KernelPath>())
            Assert.Contains($"`{path.ToLowerInvariant()}`", row, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("quantize", "llama", "--output", "llama-nf4")]
    [InlineData("quantize", "llama", "--output", "llama-rows", "--type", "int8")]
    [InlineData("quantize", "llama", "--output", "llama-words", "--type", "int4")]
    [InlineData("inspect", "llama")]
    [InlineData("explain", "llama")]
    [InlineData("lint", "llama-made")]
    [InlineData("plan", "llama", "--target-bits", "7")]
    [InlineData("finish", "llama-made")]
    [InlineData("quantize", "llama", "--dry-run", "--fits", "1GiB")]
    [InlineData("inspect", "llama-made")]
    [InlineData("inspect", "llama-int4")]
    [InlineData("verify", "llama-made", "--source", "llama")]
    [InlineData("dequantize", "llama-made", "--output", "llama-back")]
    [InlineData("diff", "llama-made", "llama-fp4", "--all")]
    [InlineData("diff", "llama-made", "llama-other")]
    [InlineData("diff", "llama-made", "llama-int4")]
    [InlineData("evaluate", "llama-made", "--source", "llama", "--tokens", "32")]
    [InlineData("devices")]
    [InlineData("codes", "--type", "nf4")]
    public void JsonMembers_OfEachCommand_AreDocumented(params string[] arguments)
    {
        using var folder = new TempFolder();
        SampleCheckpoint.Small.Write(folder["llama"]);
        ToolRun.Succeed("quantize", folder["llama"], "--output", folder["llama-made"]);
        ToolRun.Succeed("quantize", folder["llama"], "--output", folder["llama-fp4"], "--type", "fp4");
        ToolRun.Succeed("quantize", folder["llama"], "--output", folder["llama-other"], "--quant-storage", "float16");
        ToolRun.Succeed("quantize", folder["llama"], "--output", folder["llama-int4"], "--type", "int4", "--symmetric", "false");
        IEnumerable<string> located = arguments.Select(word => word.StartsWith("llama", StringComparison.Ordinal) ? folder[word] : word);
        ToolRun run = ToolRun.Of([.. located, "--json"]);
        Assert.True(run.Exit is ExitCode.Done or ExitCode.Differs, run.Error);
        string section = string.Join('\n', Cli.Section("## JSON lines"));

        foreach (string line in run.Out.TrimEnd().Split('\n'))
        {
            using var json = JsonDocument.Parse(line);
            Assert.All(MembersOf(json.RootElement), member => Assert.Contains($"`{member}`", section, StringComparison.Ordinal));
        }
    }

    /// <summary>Its own members and those of the objects within.</summary>
    private static IEnumerable<string> MembersOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().SelectMany(member => MembersOf(member.Value).Prepend(member.Name)),
        JsonValueKind.Array => value.EnumerateArray().SelectMany(MembersOf),
        _ => [],
    };

    private static IEnumerable<string> CommandsInHelp() =>
        CommandLine().Matches(ToolRun.Succeed("--help").Out).Select(match => match.Groups[1].Value);

    /// <summary>Long names and the text after "default:" in their descriptions, where there is one.</summary>
    private static Dictionary<string, string?> OptionsInHelp(string command) => OptionLine()
        .Matches(ToolRun.Succeed(command, "--help").Out)
        .ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Success ? string.Join(' ', match.Groups[2].Value.Split((char[])[], StringSplitOptions.RemoveEmptyEntries)) : null);

    [GeneratedRegex("(?<![A-Za-z0-9-])--[a-z][a-z0-9-]*")]
    private static partial Regex LongName();

    [GeneratedRegex(@"^  (?:-\S+, )*(--[a-z0-9-]+)\b.*?(?:\(default: ([^)]*)\))?$", RegexOptions.Multiline)]
    private static partial Regex OptionLine();

    [GeneratedRegex("\"(BNB[0-9]{4})\"")]
    private static partial Regex QuotedRule();

    [GeneratedRegex("^`(?:BNB|CT|QNT)[0-9]")]
    private static partial Regex LayoutRule();

    [GeneratedRegex(@"new Finding\(\s*""([a-z-]+)""")]
    private static partial Regex FindingRule();

    [GeneratedRegex(@"const string Rule = ""([a-z]+)""")]
    private static partial Regex RuleConstant();

    [GeneratedRegex(@"""([a-z-]+)"" => """)]
    private static partial Regex Cause();

    [GeneratedRegex(@"^  ([a-z]+)(?: <|  )", RegexOptions.Multiline)]
    private static partial Regex CommandLine();
}
