using System.Text;
using System.Text.RegularExpressions;
using Bnb.Formats.HuggingFace;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

/// <summary>docs/formats.md against the code: every rule of a quantized layout, and the configs byte for byte.</summary>
public sealed partial class DocumentedFormatTests
{
    private static readonly string Document = File.ReadAllText(Path.Combine(Golden.RepositoryRoot, "docs", "formats.md"));

    [Fact]
    public void Rules_InTheTables_AreThoseOfTheCode()
    {
        IEnumerable<string> inCode = Directory.EnumerateFiles(Path.Combine(Golden.RepositoryRoot, "formats"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => QuotedRule().Matches(File.ReadAllText(file))).Select(match => match.Groups[1].Value).Distinct();
        IEnumerable<string> documented = RuleRow().Matches(Document).Select(match => match.Groups[1].Value);

        Assert.Equal(inCode.Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Configs_InTheText_AreWhatIsWritten()
    {
        QuantizationConfig[] configs = [BnbQuantizationConfig.ForInt8(["lm_head"]), new CompressedTensorsConfig(128, IsSymmetric: true, ["lm_head"]), new Fp8DynamicConfig(["lm_head"])];

        foreach (QuantizationConfig config in configs)
        {
            byte[] written = ModelConfig.Parse("{\n}"u8.ToArray(), "config.json").InsertQuantizationConfig(config);
            Assert.Contains("```json\n" + Encoding.UTF8.GetString(written) + "\n```", Document, StringComparison.Ordinal);
        }
    }

    [GeneratedRegex("\"((?:BNB|CT|QNT|FP|GQ)[0-9]{4})\"")]
    private static partial Regex QuotedRule();

    [GeneratedRegex("^\\| `((?:BNB|CT|QNT|FP|GQ)[0-9]{4})` \\|", RegexOptions.Multiline)]
    private static partial Regex RuleRow();
}
