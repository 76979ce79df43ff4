using System.Globalization;
using System.Text.RegularExpressions;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Docs;

/// <summary>docs/reliability.md against the tests: every number is there, and every test that it names exists.</summary>
public sealed partial class ReliabilityTests
{
    private const int Inputs = 231;
    private const int Entries = 315;

    private static readonly Document Catalogue = Document.Read("docs/reliability.md");

    private static readonly (int Number, string Test)[] Rows =
    [
        .. Catalogue.Lines.Select(line => Row().Match(line)).Where(row => row.Success)
            .Select(row => (int.Parse(row.Groups[1].ValueSpan, CultureInfo.InvariantCulture), row.Groups[2].Value)),
    ];

    private static readonly HashSet<string> Refused = [.. HostileFiles.All.Select(hostile => hostile.Name)];

    private static readonly Lazy<HashSet<string>> Tests = new(() =>
    [
        .. Directory.EnumerateFiles(Document.PathOf("tests"), "*Tests.cs", SearchOption.AllDirectories).SelectMany(file =>
            Method().Matches(File.ReadAllText(file)).Select(method => $"{Path.GetFileNameWithoutExtension(file)}.{method.Groups[1].Value}")),
    ]);

    [Fact]
    public void Numbers_OfTheCatalogue_AreAllThereInOrder() =>
        Assert.Equal(Enumerable.Range(1, Entries), Rows.Select(row => row.Number));

    [Fact]
    public void Rows_EachOne_NamesATestThatExistsOrSaysWhyNot()
    {
        List<string> wrong = [];
        foreach ((int number, string test) in Rows)
        {
            string[] names = [.. Quoted().Matches(test).Select(name => name.Groups[1].Value)];
            bool isExplained = test.StartsWith("does not apply: ", StringComparison.Ordinal);
            bool isNamed = names.Length > 0 && names.All(name => name.Contains('.', StringComparison.Ordinal) ? Tests.Value.Contains(name) : Refused.Contains(name));
            if (!isNamed && !isExplained) wrong.Add($"{number}: {test}");
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Inputs_EachOne_HasATest() => Assert.All(Rows.Take(Inputs), row => Assert.StartsWith("`", row.Test, StringComparison.Ordinal));

    [Fact]
    public void Cases_WithANumber_AreInTheirRow() => Assert.All(
        HostileFiles.All.Where(hostile => hostile.Number > 0),
        hostile => Assert.Equal($"`{hostile.Name}`", Rows.Single(row => row.Number == hostile.Number).Test));

    [Fact]
    public void AcceptedInputs_EachOne_IsACase()
    {
        HashSet<string> accepted = [.. HostileFiles.Accepted.Select(fine => fine.Name)];
        string[] named = [.. Catalogue.Lines.SelectMany(line => AcceptedName().Matches(line).Select(name => name.Groups[1].Value)).Distinct()];

        Assert.True(named.Length >= 75, $"{named.Length}");
        // The catalogue leaves the choice for this one.
        Assert.Equal(["pt-ok-byteorder-big"], named.Except(accepted));
    }

    [Fact]
    public void OtherTests_NamedInTheText_Exist()
    {
        IEnumerable<string> named = Catalogue.Lines.SelectMany(line => TestName().Matches(line).Select(name => name.Groups[1].Value));

        Assert.All(named, name => Assert.Contains(name, Tests.Value));
    }

    [GeneratedRegex(@"^\| ([0-9]+) \| .* \| ([^|]+) \|$")]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex("`((?:st|pt|dir)-ok-[a-z0-9_-]+|sp-ok-link)`")]
    private static partial Regex AcceptedName();

    [GeneratedRegex("`([A-Z][A-Za-z0-9]+Tests\\.[A-Za-z0-9_]+)`")]
    private static partial Regex TestName();

    [GeneratedRegex(@"public (?:async Task|void) ([A-Za-z0-9_]+)\(")]
    private static partial Regex Method();
}
