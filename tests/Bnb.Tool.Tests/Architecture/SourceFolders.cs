using System.Text.RegularExpressions;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Architecture;

/// <summary>One folder naming another: by a using of its namespace, or, where it lies inside of it, by one of its types.</summary>
/// <param name="From">The folder that knows, below the repository's root.</param>
/// <param name="To">The folder that is known.</param>
/// <param name="Where">The file and the word that show it.</param>
internal sealed record FolderEdge(string From, string To, string Where);

/// <summary>
/// Who knows whom among the product's folders, read from the sources. A namespace is a folder's name with dots, so a using is an
/// edge; a folder inside another one sees the outer one's types without a using, so there the names of types count.
/// </summary>
internal static partial class SourceFolders
{
    /// <summary>Folder and namespace of each project.</summary>
    public static readonly IReadOnlyList<(string Folder, string Namespace)> Projects =
    [
        ("formats", "Bnb.Formats"), ("quant/Core", "Bnb.Quant"), ("quant/Gpu", "Bnb.Quant.Gpu"), ("tool/Engine", "Bnb.Engine"), ("tool/Cli", "Bnb.Cli"),
    ];

    /// <summary>All source files by folder.</summary>
    public static IReadOnlyDictionary<string, string[]> Files { get; } = Projects
        .SelectMany(project => Directory.EnumerateFiles(Path.Combine(Golden.RepositoryRoot, project.Folder), "*.cs", SearchOption.AllDirectories))
        .Where(path => !path.Split('/').Any(part => part is "obj" or "bin"))
        .GroupBy(path => Path.GetRelativePath(Golden.RepositoryRoot, Path.GetDirectoryName(path)!).Replace('\\', '/'))
        .ToDictionary(group => group.Key, group => group.ToArray(), StringComparer.Ordinal);

    /// <summary>The namespace that a folder's files must have.</summary>
    public static string NamespaceOf(string folder)
    {
        (string root, string space) = Projects.Where(project => folder == project.Folder || folder.StartsWith(project.Folder + "/", StringComparison.Ordinal))
            .MaxBy(project => project.Folder.Length);
        return space + folder[root.Length..].Replace('/', '.');
    }

    /// <summary>Every edge, each with the first file that shows it.</summary>
    public static IReadOnlyList<FolderEdge> Edges()
    {
        Dictionary<string, string> folders = Files.Keys.ToDictionary(NamespaceOf, StringComparer.Ordinal);
        Dictionary<string, HashSet<string>> types = Files.ToDictionary(
            folder => folder.Key,
            folder => folder.Value.SelectMany(file => Declaration().Matches(File.ReadAllText(file))).Select(match => match.Groups[1].Value).ToHashSet(StringComparer.Ordinal),
            StringComparer.Ordinal);
        return
        [
            .. Files.SelectMany(folder => folder.Value.SelectMany(file => EdgesOf(folder.Key, file, folders, types)))
                .DistinctBy(edge => (edge.From, edge.To)),
        ];
    }

    private static IEnumerable<FolderEdge> EdgesOf(
        string from, string file, Dictionary<string, string> folders, Dictionary<string, HashSet<string>> types)
    {
        string text = File.ReadAllText(file), name = Path.GetFileName(file);
        foreach (Match match in Using().Matches(text))
        {
            // A using static names a type of the namespace.
            string space = match.Groups[1].Value;
            while (!folders.ContainsKey(space) && space.Contains('.', StringComparison.Ordinal)) space = space[..space.LastIndexOf('.')];
            if (folders.TryGetValue(space, out string? to) && to != from) yield return new FolderEdge(from, to, $"{name}: {match.Value}");
        }

        HashSet<string> words = [.. Word().Matches(LineComment().Replace(text, "")).Select(match => match.Value)];
        for (string? outer = Path.GetDirectoryName(from); !string.IsNullOrEmpty(outer); outer = Path.GetDirectoryName(outer))
        {
            if (!types.TryGetValue(outer, out HashSet<string>? known)) continue;
            string? named = known.FirstOrDefault(type => words.Contains(type) && !types[from].Contains(type));
            if (named is not null) yield return new FolderEdge(from, outer, $"{name}: {named}");
        }
    }

    [GeneratedRegex(@"^using (?:static )?(?:\w+ = )?(Bnb[\w.]*);", RegexOptions.Multiline)]
    private static partial Regex Using();

    [GeneratedRegex(@"^(?:(?:public|internal|sealed|static|abstract|partial|readonly|ref|unsafe)\s+)*(?:class|struct|interface|enum|record(?:\s+struct|\s+class)?)\s+([A-Z]\w*)", RegexOptions.Multiline)]
    private static partial Regex Declaration();

    [GeneratedRegex(@"//[^\n]*")]
    private static partial Regex LineComment();

    // Not what stands behind a dot: members of other types may be called like a type.
    [GeneratedRegex(@"(?<![\w.])[A-Z]\w*")]
    private static partial Regex Word();
}
