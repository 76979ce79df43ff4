using System.Text.RegularExpressions;
using System.Xml.Linq;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Docs;

public sealed partial class DecisionTests
{
    [Fact]
    public void Packages_InUse_AreExplained()
    {
        Document decision = Document.Read("docs/decisions/0003-packages.md");
        IEnumerable<string> packages = XDocument.Load(Document.PathOf("Directory.Packages.props"))
            .Descendants("PackageVersion").Select(package => (string)package.Attribute("Include")!);

        Assert.All(packages, package => Assert.Contains($"`{package}`", decision.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void Decisions_OnDisk_AreNumberedWithoutGapAndListed()
    {
        string folder = Document.PathOf("docs/decisions");
        List<string> files = [.. Directory.EnumerateFiles(folder, "0*.md").Select(Path.GetFileName).OfType<string>().Order(StringComparer.Ordinal)];
        Document index = Document.Read("docs/decisions/README.md");

        Assert.Equal(Enumerable.Range(1, files.Count).Select(number => $"{number:D4}"), files.Select(file => file[..4]));
        Assert.All(files, file => Assert.Contains($"]({file})", index.Text, StringComparison.Ordinal));
        Assert.All(files, file => Assert.Equal(
            ["## Context", "## Choice", "## Consequences"],
            Document.Read("docs/decisions/" + file).Lines.Where(line => line.StartsWith("## ", StringComparison.Ordinal))));
    }

    /// <summary>A type that was renamed or removed must not live on in the texts.</summary>
    [Theory]
    [InlineData("docs/architecture.md")]
    [InlineData("CONTRIBUTING.md")]
    public void Types_NamedInTheText_ExistInTheCode(string name)
    {
        HashSet<string> words = [.. new[] { "formats", "quant", "tool", "tests" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Golden.RepositoryRoot, folder), "*.cs", SearchOption.AllDirectories))
            .SelectMany(file => Identifier().Matches(File.ReadAllText(file)).Select(match => match.Value))];
        IEnumerable<string> named = Document.Read(name).Prose()
            .SelectMany(line => TypeInText().Matches(line.Text).Select(match => match.Groups[1].Value))
            .SelectMany(type => type.Split('.'));

        Assert.Empty(named.Where(part => !words.Contains(part)).Distinct());
    }

    [GeneratedRegex(@"\b[A-Z]\w+\b")]
    private static partial Regex Identifier();

    [GeneratedRegex(@"`([A-Z][a-z0-9]\w*(?:\.[A-Z]\w+)*)`")]
    private static partial Regex TypeInText();
}
