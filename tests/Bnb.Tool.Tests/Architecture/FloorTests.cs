using Bnb.Tool.Tests.Docs;
using Xunit;

namespace Bnb.Tool.Tests.Architecture;

/// <summary>The table of allowed edges in docs/architecture.md, and that it is exactly what the sources do.</summary>
public sealed class FloorTests
{
    private static readonly IReadOnlyList<FolderEdge> Edges = SourceFolders.Edges();

    private static readonly List<(string Folder, string[] Knows)> Table =
    [
        .. Document.Rows(Document.Read("docs/architecture.md").Section("## Who may know whom"))
            .Select(row => (Folder: row[0].Trim('`'), Knows: row.Length < 2 ? [] : row[1].Split(", ").Select(name => name.Trim('`', ' ')).Where(name => name is not ("" or "nobody")).ToArray())),
    ];

    [Fact]
    public void Edges_InTheSources_AreAllowedByTheTable()
    {
        string[] forbidden = Forbidden(Edges);

        Assert.True(forbidden.Length == 0, string.Join('\n', forbidden));
    }

    [Theory]
    [InlineData("tool/Engine/Verifying", "tool/Cli/Commands", "tool/Cli/Commands lies above tool/Engine/Verifying, and a floor knows only those below it")]
    [InlineData("quant/Core/Blockwise", "formats/IO", "the table in docs/architecture.md does not list the edge; add it there with a reason, or do without")]
    [InlineData("tool/Engine/Misc", "formats/IO", "tool/Engine/Misc has no row in the table of docs/architecture.md")]
    public void Edges_NotInTheTable_AreNamedWithTheReason(string from, string to, string why)
    {
        string sentence = Assert.Single(Forbidden([.. Edges, new FolderEdge(from, to, "File.cs uses Type")]));

        Assert.Equal($"{from} must not know {to} (File.cs uses Type): {why}", sentence);
    }

    [Fact]
    public void Edges_InTheTable_AreUsed()
    {
        var used = Edges.Select(edge => (edge.From, edge.To)).ToHashSet();
        string[] unused = [.. Table.SelectMany(row => row.Knows.Where(to => !used.Contains((row.Folder, to))).Select(to =>
            $"docs/architecture.md allows {row.Folder} to know {to}, which it does not: take the edge out"))];

        Assert.True(unused.Length == 0, string.Join('\n', unused));
    }

    [Fact]
    public void Folders_InTheTable_AreAllThereAre() =>
        Assert.Equal(SourceFolders.Files.Keys.Order(StringComparer.Ordinal), Table.Select(row => row.Folder).Order(StringComparer.Ordinal));

    /// <summary>Rows go from the ground up: who only knows earlier rows is in no circle.</summary>
    [Fact]
    public void Table_FromTopToBottom_KnowsEarlierRowsOnly()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach ((string folder, string[] knows) in Table)
        {
            Assert.True(knows.All(seen.Contains), $"{folder} knows {string.Join(", ", knows.Where(to => !seen.Contains(to)))}, which come later in the table: a floor knows only those below it");
            seen.Add(folder);
        }
    }

    [Fact]
    public void FormatsAndQuant_NeverMeet()
    {
        Assert.DoesNotContain(Edges, edge => edge.From.StartsWith("formats", StringComparison.Ordinal) && !edge.To.StartsWith("formats", StringComparison.Ordinal));
        Assert.DoesNotContain(Edges, edge => edge.From.StartsWith("quant", StringComparison.Ordinal) && !edge.To.StartsWith("quant", StringComparison.Ordinal));
    }

    /// <summary>A sentence for each edge that the table does not allow.</summary>
    private static string[] Forbidden(IEnumerable<FolderEdge> edges)
    {
        var allowed = Table.ToDictionary(row => row.Folder, row => row.Knows, StringComparer.Ordinal);
        return
        [
            .. edges.Where(edge => !allowed.TryGetValue(edge.From, out string[]? knows) || !knows.Contains(edge.To)).Select(edge =>
                $"{edge.From} must not know {edge.To} ({edge.Where}): {Why(edge, allowed)}"),
        ];
    }

    private static string Why(FolderEdge edge, Dictionary<string, string[]> allowed)
    {
        List<string> order = [.. Table.Select(row => row.Folder)];
        if (!allowed.ContainsKey(edge.From)) return $"{edge.From} has no row in the table of docs/architecture.md";
        int from = order.IndexOf(edge.From), to = order.IndexOf(edge.To);
        return to > from
            ? $"{edge.To} lies above {edge.From}, and a floor knows only those below it"
            : "the table in docs/architecture.md does not list the edge; add it there with a reason, or do without";
    }
}
