using Xunit;

namespace Bnb.Tool.Tests.Docs;

/// <summary>
/// The README's numbers are copies of the committed result files. After a new measurement,
/// <c>BNB_UPDATE_README=1 dotnet run --project tests/Bnb.Tool.Tests</c> copies them anew.
/// </summary>
public sealed class BenchmarkTests
{
    private const string Update = "BNB_UPDATE_README";
    private static readonly string[] OtherTypes = ["| F16 |", "| F32 |"];

    [Theory]
    [InlineData("pipeline")]
    [InlineData("kernels")]
    public void Readme_BenchmarkSection_EqualsTheResultFiles(string kind)
    {
        Document readme = Document.Read("README.md");
        int from = Array.IndexOf(readme.Lines, $"<!-- benchmark:{kind} -->");
        int to = Array.IndexOf(readme.Lines, $"<!-- /benchmark:{kind} -->");
        Assert.True(from >= 0 && to > from, $"README.md has no section benchmark:{kind}");

        string[] expected = [.. Results(kind)];
        if (Environment.GetEnvironmentVariable(Update) == "1")
        {
            readme = readme with { Lines = [.. readme.Lines[..(from + 1)], .. expected, .. readme.Lines[to..]] };
            File.WriteAllText(readme.FullPath, readme.Text + "\n");
            return;
        }

        string[] actual = readme.Lines[(from + 1)..to];
        Assert.True(
            expected.SequenceEqual(actual),
            $"README.md differs from docs/benchmarks/*/{kind}.md; {Update}=1 and this test again brings it up to date\n"
            + string.Join('\n', expected.Except(actual)));
    }

    /// <summary>All machines' results one after the other: what was measured where, and the table.</summary>
    private static IEnumerable<string> Results(string kind)
    {
        string[] files =
        [
            .. Directory.EnumerateFiles(Document.PathOf("docs/benchmarks"), kind + ".md", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(Document.PathOf("."), file)).Order(StringComparer.Ordinal),
        ];
        if (files.Length == 0) yield return "No result is committed yet.";
        foreach (string file in files)
        {
            yield return "";
            // Of the kernels one source type says enough for a front page; each row is as in the file.
            IEnumerable<string> lines = Document.Read(file).Lines.Skip(1)
                .Where(line => kind != "kernels" || !OtherTypes.Any(cell => line.Contains(cell, StringComparison.Ordinal)));
            foreach (string line in lines.SkipWhile(line => line.Length == 0)) yield return line;
            yield return "";
            yield return $"From [{file}]({file}).";
            yield return "";
        }
    }
}
