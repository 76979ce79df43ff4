using System.Globalization;
using System.Text;
using Bnb.Engine.Errors;

namespace Bnb.Tool.Tests.Docs;

/// <summary>
/// A run of the tool as a document shows it: <c>$ dotnet bnb ...</c> in a code block, what it prints, how it ends.
/// </summary>
/// <param name="Where">File and line, for the message of a failing test.</param>
/// <param name="Arguments">What the tool gets, quotes taken off.</param>
/// <param name="IsPiped">Another program works on the output, so that what is shown is not the tool's.</param>
/// <param name="Output">The lines shown below the command.</param>
/// <param name="Exit">From <c>$ echo $?</c> right after it; without one it is expected to succeed.</param>
internal sealed record DocumentedCommand(
    string Where, IReadOnlyList<string> Arguments, bool IsPiped, IReadOnlyList<string> Output, ExitCode Exit)
{
    private const string Prompt = "$ ";
    private const string AskExit = "$ echo $?";
    private static readonly string[] Starts =
        ["dotnet bnb ", "dotnet run -c Release --project tool/Cli -- ", "dotnet run --project tool/Cli -- "];

    /// <summary>Those of a document, in the order of its text.</summary>
    public static IReadOnlyList<DocumentedCommand> In(Document document)
    {
        var commands = new List<DocumentedCommand>();
        bool code = false;
        for (int i = 0; i < document.Lines.Length; i++)
        {
            string line = document.Lines[i];
            if (line.StartsWith("```", StringComparison.Ordinal)) code = !code;
            if (!code || !line.StartsWith(Prompt, StringComparison.Ordinal)) continue;
            string command = line[Prompt.Length..];
            string? start = Starts.FirstOrDefault(start => command.StartsWith(start, StringComparison.Ordinal));
            if (start is null) continue;

            List<string> output =
            [
                .. document.Lines.Skip(i + 1).TakeWhile(next =>
                    !next.StartsWith("```", StringComparison.Ordinal) && !next.StartsWith(Prompt, StringComparison.Ordinal)),
            ];
            int after = i + 1 + output.Count;
            ExitCode exit = document.Lines[after] == AskExit
                ? (ExitCode)int.Parse(document.Lines[after + 1], CultureInfo.InvariantCulture)
                : ExitCode.Done;
            List<string> words = Words(command[start.Length..]);
            int end = words.FindIndex(word => word is "|" or ">" or "2>");
            commands.Add(new DocumentedCommand(
                $"{document.Name}:{i + 1}: {command}", end < 0 ? words : words[..end], words.Contains("|"), output, exit));
        }

        return commands;
    }

    /// <summary>Splits as a shell does, as far as the documents need it: blanks, single and double quotes.</summary>
    internal static List<string> Words(string command)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        char quote = '\0';
        bool begun = false;
        foreach (char c in command + " ")
        {
            if (quote != '\0')
            {
                if (c == quote) quote = '\0';
                else word.Append(c);
            }
            else if (c is '\'' or '"')
            {
                quote = c;
                begun = true;
            }
            else if (c != ' ')
            {
                word.Append(c);
                begun = true;
            }
            else if (begun)
            {
                words.Add(word.ToString());
                word.Clear();
                begun = false;
            }
        }

        return words;
    }
}
