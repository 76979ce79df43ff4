using System.Text;
using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Errors;

/// <summary>Writes an anticipated failure the one way this tool writes them; see docs/cli.md.</summary>
internal static class ErrorReport
{
    private const int MaxFactLines = 24;
    private const int Indent = 2;

    /// <summary>
    /// <c>error[CODE]: summary</c>, the facts as an aligned block, one <c>do</c> line, and last what is on disk.
    /// </summary>
    /// <param name="outcome">What the run left behind, for example "nothing was written".</param>
    /// <param name="screenWidth">Columns: longer lines are broken at words.</param>
    public static string Text(UserErrorException error, string outcome, int screenWidth = ITerminal.Unlimited)
    {
        var text = new StringBuilder();
        text.Append(DisplayWidth.Wrap($"error[{error.Code}]: {DisplayText.EscapeAgain(error.Summary)}", screenWidth, Indent)).Append('\n');

        var facts = new List<(string Label, string Value)>();
        // Names are as they are, everything else was made of escaped ones.
        if (error.File is not null) facts.Add(("file", DisplayText.Escape(error.File)));
        if (error.Tensor is not null) facts.Add(("tensor", DisplayText.Escape(error.Tensor)));
        facts.AddRange(error.Facts.Where(fact => fact.Label is not "file" and not "tensor"));
        if ((error.Action ?? NextStep.For(error.Exit)) is { } action) facts.Add(("do", action));

        int width = facts.Count == 0 ? 0 : facts.Max(fact => Math.Min(fact.Label.Length, 40));
        foreach ((string label, string value) in facts.Take(MaxFactLines))
            text.Append(DisplayWidth.Wrap($"  {DisplayText.EscapeAgain(label).PadRight(width)}  {DisplayText.EscapeAgain(value)}", screenWidth, width + (2 * Indent))).Append('\n');
        if (facts.Count > MaxFactLines) text.Append("  ... and ").Append(facts.Count - MaxFactLines).Append(" more\n");
        text.Append(outcome).Append('\n');
        return text.ToString();
    }

    /// <summary>The last JSON line of a <c>--json</c> run: <c>{"type":"exit","code":4,"error":"ST-TRUNC",...}</c>.</summary>
    public static string JsonExit(ExitCode exit, UserErrorException? error) => JsonLine.Of(json =>
    {
        json.WriteString("type", "exit");
        json.WriteNumber("code", (int)exit);
        if (error is null) return;
        json.WriteString("error", error.Code);
        json.WriteString("message", error.Summary);
        if (error.File is not null) json.WriteString("file", error.File);
        if (error.Tensor is not null) json.WriteString("tensor", error.Tensor);
        if ((error.Action ?? NextStep.For(error.Exit)) is { } action) json.WriteString("do", action);
    });
}
