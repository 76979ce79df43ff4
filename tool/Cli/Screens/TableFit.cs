using Bnb.Cli.Terminal;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Bnb.Cli.Screens;

/// <summary>
/// Makes a table as narrow as the screen without folding a row: the names in its first column are cut in the middle, columns that
/// matter least go, and only then other cells are cut. Folded rows of numbers cannot be read.
/// </summary>
internal static class TableFit
{
    // Long enough for the number of a layer and the name of its part, by which readers tell rows apart.
    private const int ShortestName = 36;
    private const int ShortestCell = 8;

    /// <summary>A blank on either side of every cell, one between and around.</summary>
    private const int PerColumn = 3;

    /// <summary>The table itself when it fits, else a narrower one.</summary>
    /// <param name="console">Gives the width.</param>
    /// <param name="table">A table of one-line cells, names in the first column.</param>
    /// <param name="leastFirst">Titles of the columns that may go, the first to go first.</param>
    public static Table Of(IAnsiConsole console, Table table, params ReadOnlySpan<string> leastFirst)
    {
        int width = console.Profile.Width;
        RenderOptions options = RenderOptions.Create(console, console.Profile.Capabilities);
        List<List<CellText>> rows = [[.. table.Columns.Select(column => Cell(column.Header, options))]];
        rows.AddRange(table.Rows.Select(row => row.Select(cell => Cell(cell, options)).ToList()));
        List<int> kept = [.. Enumerable.Range(0, table.Columns.Count)];
        int[] widths = [.. kept.Select(column => rows.Max(row => row[column].Text.Length))];
        if (Total() <= width) return table;

        foreach (string title in leastFirst)
        {
            if (Total() - widths[0] + Math.Min(widths[0], ShortestName) <= width) break;
            kept.RemoveAll(column => column > 0 && rows[0][column].Text == title);
        }

        // What is still missing comes from the names, then from the widest of the others; on screens narrower than anybody's, from
        // both again, for a cut row is still one that can be read.
        Narrow(ShortestName, ShortestCell);
        Narrow(ShortestName / 3, ShortestCell);
        Narrow(1, 1);
        return Rebuilt(table, rows, kept, widths);

        void Narrow(int shortestName, int shortestCell)
        {
            while (Total() > width)
            {
                int widest = kept.Where(column => column == 0 ? widths[0] > shortestName : widths[0] <= shortestName && widths[column] > shortestCell)
                    .DefaultIfEmpty(-1).MaxBy(column => column < 0 ? -1 : widths[column]);
                if (widest < 0) return;
                widths[widest] -= widest == 0 ? Math.Min(Total() - width, widths[0] - shortestName) : 1;
            }
        }

        int Total() => kept.Sum(column => widths[column]) + (PerColumn * kept.Count) + 1;
    }

    private static Table Rebuilt(Table table, List<List<CellText>> rows, List<int> kept, int[] widths)
    {
        var narrow = new Table { Border = table.Border };
        foreach (int column in kept)
        {
            narrow.AddColumn(new TableColumn(Cut(rows[0][column], column, widths[column])) { NoWrap = true, Alignment = table.Columns[column].Alignment });
        }

        foreach (var row in rows.Skip(1)) narrow.AddRow(kept.Select(column => Cut(row[column], column, widths[column])));
        return narrow;
    }

    /// <summary>A name says most at both ends, everything else at its beginning.</summary>
    private static Text Cut(CellText cell, int column, int width) =>
        new(column == 0 ? DisplayWidth.CutMiddle(cell.Text, width) : DisplayWidth.CutEnd(cell.Text, width), cell.Style);

    private static CellText Cell(IRenderable cell, RenderOptions options)
    {
        Segment[] segments = [.. cell.Render(options, ITerminal.Unlimited).Where(segment => !segment.IsLineBreak)];
        return new CellText(string.Concat(segments.Select(segment => segment.Text)).TrimEnd(), segments.FirstOrDefault()?.Style ?? Style.Plain);
    }

    private sealed record CellText(string Text, Style Style);
}
