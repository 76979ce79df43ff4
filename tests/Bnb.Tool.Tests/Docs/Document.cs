using System.Text.RegularExpressions;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Docs;

/// <summary>One of the repository's Markdown files.</summary>
/// <param name="Name">Path below the repository's root, with slashes.</param>
internal sealed partial record Document(string Name, string[] Lines)
{
    private static readonly string[] Folders = ["docs", "tests"];

    public string Text => string.Join('\n', Lines);

    public string FullPath => PathOf(Name);

    public static Document Read(string name) => new(name, File.ReadAllLines(PathOf(name)));

    /// <summary>Every Markdown file that belongs to the repository.</summary>
    public static IReadOnlyList<Document> All() =>
    [
        .. Folders.SelectMany(folder => Directory.EnumerateFiles(PathOf(folder), "*.md", SearchOption.AllDirectories))
            .Concat(Directory.EnumerateFiles(Golden.RepositoryRoot, "*.md"))
            .Select(path => Path.GetRelativePath(Golden.RepositoryRoot, path))
            .Order(StringComparer.Ordinal)
            .Select(Read),
    ];

    public static string PathOf(string name) => Path.Combine(Golden.RepositoryRoot, name);

    /// <summary>The lines under a heading, up to the next one of the same or a higher level.</summary>
    public IReadOnlyList<string> Section(string heading)
    {
        int start = Array.IndexOf(Lines, heading);
        if (start < 0) throw new InvalidOperationException($"{Name} has no '{heading}'");
        string level = heading[..heading.IndexOf(' ', StringComparison.Ordinal)];
        return [.. Lines.Skip(start + 1).TakeWhile(line => !IsHeading(line) || Level(line) > level.Length)];
    }

    /// <summary>The cells of the table rows among some lines; header and rule left out.</summary>
    public static IReadOnlyList<string[]> Rows(IEnumerable<string> lines)
    {
        List<string[]> rows =
        [
            .. lines.Where(line => line.StartsWith('|'))
                .Select(line => line.Trim('|', ' ').Split(" | ").Select(cell => cell.Trim()).ToArray()),
        ];
        return [.. rows.Where((row, i) => !IsRule(row) && (i + 1 == rows.Count || !IsRule(rows[i + 1])))];
    }

    /// <summary>The names under which GitHub's rendering lets links reach this file's headings.</summary>
    public IReadOnlySet<string> Anchors() => Prose()
        .Where(line => IsHeading(line.Text))
        .Select(line => NotInAnchor().Replace(line.Text.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-'))
        .ToHashSet(StringComparer.Ordinal);

    /// <summary>The lines outside code blocks, with their numbers.</summary>
    public IEnumerable<(int Number, string Text)> Prose()
    {
        bool code = false;
        for (int i = 0; i < Lines.Length; i++)
        {
            if (Lines[i].StartsWith("```", StringComparison.Ordinal)) code = !code;
            else if (!code) yield return (i + 1, Lines[i]);
        }
    }

    private static bool IsHeading(string line) => line.StartsWith('#');

    private static int Level(string heading) => heading.Length - heading.TrimStart('#').Length;

    private static bool IsRule(string[] row) => row.All(cell => cell.Length > 0 && cell.Trim('-', ':', '|', ' ').Length == 0);

    [GeneratedRegex(@"[^\p{L}\p{N} _-]")]
    private static partial Regex NotInAnchor();
}
