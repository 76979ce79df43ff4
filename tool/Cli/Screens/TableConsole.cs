using System.Globalization;
using Bnb.Cli.Terminal;
using Bnb.Formats.Primitives;
using Spectre.Console;

namespace Bnb.Cli.Screens;

/// <summary>Tables on stdout: coloured on a screen, plain characters when redirected.</summary>
internal static class TableConsole
{
    public static IAnsiConsole Create(ITerminal terminal, TextWriter writer) =>
        Create(writer, terminal.Width, terminal.OutIsInteractive, terminal.OutIsInteractive && terminal.Color);

    /// <summary>Renders into memory first, so that a full or closed stdout fails in one place and not mid-table.</summary>
    public static void Print(ITerminal terminal, Action<IAnsiConsole> draw)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        draw(Create(terminal, text));
        // Tables pad every cell to the column's width; trailing blanks only wrap on narrow screens.
        IEnumerable<string> lines = text.ToString().Split('\n').Select(line => line.TrimEnd());
        if (terminal.Plain) lines = lines.Where(line => !IsRule(line));
        terminal.Out.Write(string.Join('\n', lines));
    }

    /// <summary>Draws a small table for nobody, so that the library is loaded when the first real one is drawn.</summary>
    public static void Prepare()
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        IAnsiConsole console = Create(text, ITerminal.Unlimited, ansi: false, color: false);
        Table table = NewTable(("tensor", false), ("bytes", true));
        table.AddRow(new Text("weight"), new Text(Number(1)));
        console.Write(TableFit.Of(console, table, "bytes"));
        WriteFacts(console, ("tensors", Number(1)));
    }

    public static Table NewTable(params (string Title, bool Right)[] columns)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach ((string title, bool right) in columns)
        {
            var column = new TableColumn(new Text(title, new Style(decoration: Decoration.Bold))) { NoWrap = right };
            table.AddColumn(right ? column.RightAligned() : column);
        }

        return table;
    }

    /// <summary>Labelled facts below a table, labels aligned.</summary>
    public static void WriteFacts(IAnsiConsole console, params ReadOnlySpan<(string Label, string Value)> facts)
    {
        Grid grid = new Grid().AddColumn(new GridColumn().NoWrap().PadRight(3)).AddColumn();
        foreach ((string label, string value) in facts) grid.AddRow(new Text(label), new Text(DisplayText.Escape(value)));
        console.Write(grid);
    }

    private static IAnsiConsole Create(TextWriter writer, int width, bool ansi, bool color)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = ansi ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = color ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = width;
        return console;
    }

    /// <summary>The line below a table's titles; read aloud it is noise.</summary>
    private static bool IsRule(string line) => line.Length > 0 && line.All(character => character == '─');

    public static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A share with one decimal.</summary>
    public static string Percent(long part, long whole) => whole == 0 ? "0 %" : Number(100.0 * part / whole, 1) + " %";

    public static string Number(double value, int digits) => value.ToString("F" + digits, CultureInfo.InvariantCulture);
}
