using System.CommandLine;
using System.Text.RegularExpressions;
using Bnb.Cli.Commands;
using Bnb.Cli.Terminal;
using Xunit;

namespace Bnb.Tool.Tests.Docs;

/// <summary>
/// Command lines that documents name without showing a session: in sentences, in scripts and in CI files. They speak of models
/// that tests do not have, so that they are parsed: their commands and options exist and go together.
/// </summary>
public sealed partial class MentionedCommandTests
{
    private static readonly Dictionary<string, string> Placeholders = new() { ["SIZE"] = "5GB", ["SHELL"] = "bash", ["I/N"] = "1/2", ["[PATTERN]"] = "*" };

    public static TheoryData<string> Documents =>
        [.. Document.All().Where(document => !document.Name.StartsWith("docs/decisions/", StringComparison.Ordinal) && Mentioned(document).Any()).Select(document => document.Name)];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Commands_OfADocument_Parse(string name)
    {
        var terminal = new FakeTerminal();
        using var signals = new SignalCancellation(listen: false);
        RootCommand root = Application.CreateRoot(new CommandHost(terminal, signals), terminal);
        foreach (string line in Mentioned(Document.Read(name)))
        {
            string[] words = [.. DocumentedCommand.Words(line).TakeWhile(word => word is not (">" or ">>" or "|" or "||" or "&&" or ";" or "2>")).Select(word => Placeholders.GetValueOrDefault(word, word))];
            // A command's name alone is a word of the sentence.
            if (words is [var command] && !command.StartsWith('-')) Assert.Contains(command, root.Subcommands.Select(known => known.Name));
            else Assert.True(root.Parse(words).Errors is [], $"{name}: dotnet bnb {line}: {string.Join("; ", root.Parse(words).Errors)}");
        }
    }

    [Fact]
    public void Commands_OfAllDocuments_AreFound() => Assert.InRange(Document.All().Sum(document => Mentioned(document).Count()), 30, 300);

    private static IEnumerable<string> Mentioned(Document document)
    {
        string prose = string.Join('\n', document.Prose().Select(line => line.Text));
        foreach (Match span in Span().Matches(prose)) yield return span.Groups[1].Value.Replace('\n', ' ');
        foreach (string line in InScripts(document)) yield return line;
    }

    /// <summary>The commands of scripts and CI files, each on one line, in the order of the text.</summary>
    internal static IEnumerable<string> InScripts(Document document)
    {
        bool code = false;
        for (int i = 0; i < document.Lines.Length; i++)
        {
            string line = document.Lines[i];
            if (line.StartsWith("```", StringComparison.Ordinal)) code = !code;
            // What stands behind a prompt is run by SessionTests.
            if (!code || line.StartsWith("$ ", StringComparison.Ordinal) || InScript().Match(line) is not { Success: true } begin) continue;
            // Which share it is, a cluster's environment says.
            if (line.Contains("--worker auto", StringComparison.Ordinal)) continue;
            string command = begin.Groups[1].Value;
            while (i + 1 < document.Lines.Length && (command.EndsWith('\\') || document.Lines[i + 1].TrimStart().StartsWith("--", StringComparison.Ordinal)))
                command = $"{command.TrimEnd('\\')} {document.Lines[++i].Trim()}";
            yield return command.Split(" # ")[0];
        }
    }

    [GeneratedRegex(@"`dotnet\s+bnb\s+([^`]+)`")]
    private static partial Regex Span();

    [GeneratedRegex(@"^(?:\s|- |run: |srun |.* \|\| )*dotnet[ -]bnb (.+)$")]
    private static partial Regex InScript();
}
