using Xunit;

namespace Bnb.Tool.Tests.Docs;

/// <summary>The README's numbers are rows of the committed result files.</summary>
public sealed class BenchmarkTests
{
    [Fact]
    public void Readme_SpeedTable_IsMadeOfCommittedResults()
    {
        HashSet<string> results =
        [
            .. Directory.EnumerateFiles(Document.PathOf("docs/benchmarks"), "*.md", SearchOption.AllDirectories).SelectMany(File.ReadAllLines),
        ];
        string[] rows = [.. Document.Read("README.md").Section("## Speed").Where(line => line.StartsWith("| ", StringComparison.Ordinal))];

        Assert.InRange(rows.Length, 3, 12);
        Assert.All(rows, row => Assert.Contains(row, results));
    }

    [Fact]
    public void Readme_QualityTable_IsMadeOfTheMeasuredPage()
    {
        HashSet<string> measured = [.. File.ReadAllLines(Document.PathOf("docs/quality.md"))];
        string[] rows = [.. Document.Read("README.md").Section("## Quality").Where(line => line.StartsWith("| ", StringComparison.Ordinal))];

        Assert.InRange(rows.Length, 3, 12);
        Assert.All(rows, row => Assert.Contains(row, measured));
    }

    [Fact]
    public void Readme_Length_StaysThatOfAFrontPage() => Assert.InRange(Document.Read("README.md").Lines.Length, 60, 200);
}
