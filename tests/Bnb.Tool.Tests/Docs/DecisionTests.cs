using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace Bnb.Tool.Tests.Docs;

public sealed partial class DecisionTests
{
    private static readonly string[] CodeFolders = ["formats", "quant", "tool", "tests"];

    [Fact]
    public void Packages_InUse_AreExplained()
    {
        Document decision = Document.Read("docs/decisions/0003-packages.md");
        IEnumerable<string> packages = XDocument.Load(Document.PathOf("Directory.Packages.props"))
            .Descendants("PackageVersion").Select(package => (string)package.Attribute("Include")!);

        Assert.All(packages, package => Assert.Contains($"`{package}`", decision.Text, StringComparison.Ordinal));
    }

    /// <summary>Whoever gets the tool gets these packages with it.</summary>
    [Fact]
    public void Packages_Shipped_AreInTheNotices()
    {
        IEnumerable<string> shipped = XDocument.Load(Document.PathOf("Directory.Packages.props")).Descendants("ItemGroup")
            .Single(group => (string?)group.Attribute("Label") == "Product").Elements("PackageVersion").Select(package => (string)package.Attribute("Include")!);
        IEnumerable<string> noted = Document.Rows(Document.Read("THIRD-PARTY-NOTICES.md").Lines).Select(row => row[0]);

        Assert.Empty(shipped.Except(noted));
    }

    [Fact]
    public void Decisions_OnDisk_AreNumberedOnceAndListed()
    {
        string folder = Document.PathOf("docs/decisions");
        IEnumerable<string> names = Directory.EnumerateFiles(folder, "0*.md").Select(path => Path.GetFileName(path));
        string[] files = [.. names.Order(StringComparer.Ordinal)];
        Document index = Document.Read("docs/decisions/README.md");

        Assert.Equal(files.Length, files.Select(file => file[..4]).Distinct().Count());
        Assert.All(files, file => Assert.Contains($"]({file})", index.Text, StringComparison.Ordinal));
        Assert.All(files, file => Assert.Equal(
            ["## Context", "## Choice", "## Consequences"],
            Document.Read("docs/decisions/" + file).Lines.Where(line => line.StartsWith("## ", StringComparison.Ordinal))));
    }

    /// <summary>A type that was renamed or removed must not live on in the texts.</summary>
    [Fact]
    public void Types_NamedInTheTexts_ExistInTheCode()
    {
        HashSet<string> words =
        [
            .. CodeFolders
                .SelectMany(folder => Directory.EnumerateFiles(Document.PathOf(folder), "*.cs*", SearchOption.AllDirectories))
                .Append(Document.PathOf("Directory.Packages.props"))
                .SelectMany(file => Identifier().Matches(File.ReadAllText(file)).Select(match => match.Value)),
        ];
        IEnumerable<string> unknown =
            from document in Document.All()
            // What a superseded decision says of the code was true then.
            where !document.Text.Contains("\nSuperseded by ", StringComparison.Ordinal)
            from line in document.Prose()
            from Match name in TypeInText().Matches(line.Text)
            where name.Groups[1].Value.Split('.').Any(part => !words.Contains(part))
            select $"{document.Name}:{line.Number}: {name.Groups[1].Value}";

        Assert.Empty(unknown);
    }

    [GeneratedRegex(@"\b[A-Z]\w+\b")]
    private static partial Regex Identifier();

    [GeneratedRegex(@"`([A-Z][a-z0-9][A-Za-z0-9]*(?:\.[A-Z][A-Za-z0-9]+)*)`")]
    private static partial Regex TypeInText();
}
