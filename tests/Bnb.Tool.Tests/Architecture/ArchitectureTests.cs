using System.Reflection;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Architecture;

/// <summary>The shape of the repository, as docs/architecture.md tells it.</summary>
public sealed class ArchitectureTests
{
    private const int LongestFile = 400;

    private static readonly string[] ProductFolders = ["formats", "quant", "tool"];

    private static readonly Assembly Formats = typeof(Bnb.Formats.Checkpoints.Checkpoint).Assembly;
    private static readonly Assembly Quant = typeof(Bnb.Quant.Blockwise.Quantize4).Assembly;
    private static readonly Assembly Engine = typeof(Bnb.Engine.Quantizing.QuantizeRun).Assembly;

    public static TheoryData<string> ProjectsWithoutPackages => ["formats", "quant/Core"];

    [Fact]
    public void References_OfFormatsAndQuant_AreTheRuntimeOnly()
    {
        foreach (Assembly assembly in (Assembly[])[Formats, Quant])
            Assert.All(References(assembly), name => Assert.StartsWith("System.", name, StringComparison.Ordinal));
    }

    [Fact]
    public void References_OfTheEngine_IncludeBoth()
    {
        Assert.Contains(Formats.GetName().Name, References(Engine));
        Assert.Contains(Quant.GetName().Name, References(Engine));
    }

    [Theory]
    [MemberData(nameof(ProjectsWithoutPackages))]
    public void Projects_OfFormatsAndQuant_NameNoPackageAndNoProject(string folder)
    {
        string[] projects = Directory.GetFiles(Path.Combine(Golden.RepositoryRoot, folder), "*.csproj", SearchOption.AllDirectories);

        Assert.NotEmpty(projects);
        foreach (string project in projects)
        {
            string text = File.ReadAllText(project);
            Assert.DoesNotContain("PackageReference", text, StringComparison.Ordinal);
            Assert.DoesNotContain("ProjectReference", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Ilgpu_IsNamedByOneProjectOnly()
    {
        string[] folders = [.. ProductFolders.Append("tests").Select(folder => Path.Combine(Golden.RepositoryRoot, folder))];
        string allowed = Path.Combine(Golden.RepositoryRoot, "quant", "Gpu");
        IEnumerable<string> sources = Sources([.. ProductFolders, "tests"]).Where(path => !path.EndsWith(nameof(ArchitectureTests) + ".cs", StringComparison.Ordinal));
        IEnumerable<string> projects = folders.SelectMany(folder => Directory.EnumerateFiles(folder, "*.csproj", SearchOption.AllDirectories));

        Assert.DoesNotContain(sources, path => !path.StartsWith(allowed, StringComparison.Ordinal)
            && File.ReadAllText(path).Contains("using ILGPU", StringComparison.Ordinal));
        Assert.DoesNotContain(projects, path => !path.StartsWith(allowed, StringComparison.Ordinal)
            && File.ReadAllText(path).Contains("\"ILGPU\"", StringComparison.Ordinal));
    }

    [Fact]
    public void SourceFiles_All_AreShort()
    {
        string[] tooLong = [.. Sources(["formats", "quant", "tool", "tests"])
            .Select(path => (path, lines: File.ReadLines(path).Count()))
            .Where(file => file.lines > LongestFile)
            .Select(file => $"{file.path}: {file.lines} lines")];

        Assert.Empty(tooLong);
    }

    [Fact]
    public void SourceFiles_OfTheProduct_LeaveNothingToDo()
    {
        // Put together here so that this file does not hold the word.
        string word = "TO" + "DO";
        string[] open = [.. Sources(ProductFolders).Where(path => File.ReadAllText(path).Contains(word, StringComparison.Ordinal))];

        Assert.Empty(open);
    }

    [Fact]
    public void SourceFiles_OfTheProduct_HaveTheNamespaceOfTheirFolder() => Assert.All(SourceFolders.Files, folder =>
    {
        string expected = $"namespace {SourceFolders.NamespaceOf(folder.Key)};";
        Assert.All(folder.Value, path =>
        {
            if (File.ReadLines(path).FirstOrDefault(line => line.StartsWith("namespace ", StringComparison.Ordinal)) is { } line)
                Assert.Equal(expected, line);
        });
    });

    [Fact]
    public void Engine_OfTheReferences_HasNoTerminalAndNoLog()
    {
        string[] terminal = ["System.CommandLine", "Spectre.Console", "Serilog"];

        Assert.DoesNotContain(References(Engine), name => terminal.Any(package => name.StartsWith(package, StringComparison.Ordinal)));
        Assert.DoesNotContain(SourceFolders.Files.Where(folder => folder.Key.StartsWith("tool/Engine", StringComparison.Ordinal)).SelectMany(folder => folder.Value),
            path => File.ReadAllText(path).Contains("Console.", StringComparison.Ordinal));
    }

    [Fact]
    public void SourceFiles_OfTheCommandLine_AreThin() => Assert.All(
        Sources(["tool/Cli"]), path => Assert.True(File.ReadLines(path).Count() <= 200, $"{path} has more than 200 lines"));

    private static string[] References(Assembly assembly) => [.. assembly.GetReferencedAssemblies().Select(name => name.Name!)];

    private static IEnumerable<string> Sources(string[] folders) => folders
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Golden.RepositoryRoot, folder), "*.cs", SearchOption.AllDirectories))
        .Where(path => !path.Split('/').Any(part => part is "obj" or "bin"));
}
