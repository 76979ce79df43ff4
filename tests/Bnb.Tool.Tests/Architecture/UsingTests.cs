using System.Text.RegularExpressions;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Architecture;

/// <summary>
/// The order of using directives, which the build does not judge: System first, then by name, then static ones, then aliases. It is
/// the order that <c>dotnet format</c> makes; its whole pass costs minutes where this costs a second.
/// </summary>
public sealed partial class UsingTests
{
    [Fact]
    public void Usings_OfEveryFile_AreInOrder()
    {
        string[] wrong =
        [
            .. new[] { "formats", "quant", "tool", "tests" }
                .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Golden.RepositoryRoot, folder), "*.cs", SearchOption.AllDirectories))
                .Where(path => !path.Split('/').Any(part => part is "obj" or "bin"))
                .Select(path => (Path: path, Problem: Problem(File.ReadAllText(path))))
                .Where(file => file.Problem is not null)
                .Select(file => $"{Path.GetRelativePath(Golden.RepositoryRoot, file.Path)}: {file.Problem}"),
        ];

        Assert.True(wrong.Length == 0, string.Join('\n', wrong));
    }

    [Theory]
    [InlineData("using System;\nusing System.IO;\nusing Bnb.A;\nusing Bnb.A.B;\nusing static System.Math;\nusing X = Bnb.A.C;\n", null)]
    [InlineData("using Bnb.A;\nusing System.IO;\n", "`using System.IO;` comes before `using Bnb.A;`")]
    [InlineData("using Bnb.B;\nusing Bnb.A;\n", "`using Bnb.A;` comes before `using Bnb.B;`")]
    [InlineData("using static System.Math;\nusing Bnb.A;\n", "`using Bnb.A;` comes before `using static System.Math;`")]
    public void Problem_NamesTheFirstPairOutOfOrder(string source, string? problem) => Assert.Equal(problem, Problem(source));

    private static string? Problem(string source)
    {
        Match[] usings = [.. Using().Matches(source).AsEnumerable()];
        return usings.Zip(usings.Skip(1)).Where(pair => string.CompareOrdinal(Key(pair.First), Key(pair.Second)) > 0)
            .Select(pair => $"`{pair.Second.Value}` comes before `{pair.First.Value}`").FirstOrDefault();
    }

    /// <summary>Sorts as the directive should: by kind, System before others, then by the parts of its name.</summary>
    private static string Key(Match directive)
    {
        string name = directive.Groups["name"].Value;
        char kind = directive.Groups["alias"].Success ? '2' : directive.Groups["static"].Success ? '1' : '0';
        char system = name == "System" || name.StartsWith("System.", StringComparison.Ordinal) ? '0' : '1';
        return $"{kind}{system}{(kind == '2' ? directive.Groups["alias"].Value : name).ToUpperInvariant().Replace('.', '\u0001')}";
    }

    [GeneratedRegex(@"^(?:global )?using (?<static>static )?(?:(?<alias>\w+) = )?(?<name>[\w.]+)[^;(]*;", RegexOptions.Multiline)]
    private static partial Regex Using();
}
