using System.CommandLine;
using System.Text.RegularExpressions;
using Bnb.Cli.Commands;
using Bnb.Cli.Terminal;
using Xunit;

namespace Bnb.Tool.Tests.Docs;

/// <summary>Commands that the documents show without running them, in jobs and beside other programs' commands: the tool understands each.</summary>
public sealed partial class ShownCommandTests
{
    private static readonly RootCommand Root = Application.CreateRoot(new CommandHost(new FakeTerminal(), new SignalCancellation(listen: false)), new FakeTerminal());

    [Fact]
    public void Commands_InCodeBlocks_AreUnderstood()
    {
        List<(string Where, IReadOnlyList<string> Words)> commands = [.. Document.All().SelectMany(Shown)];

        Assert.InRange(commands.Count, 8, 500);
        Assert.All(commands, command => Assert.Empty(
            Root.Parse(command.Words).Errors.Select(error => $"{command.Where}: {string.Join(' ', command.Words)}: {error.Message}")));
    }

    /// <summary>Whoever adds a session to a page must add the page to those that are run.</summary>
    [Fact]
    public void Sessions_InAnyDocument_AreRun()
    {
        IEnumerable<object?> run = typeof(SessionTests).GetMethod(nameof(SessionTests.Commands_RunInOrder_EndAndPrintAsShown))!
            .GetCustomAttributes(typeof(InlineDataAttribute), inherit: false).SelectMany(attribute => ((InlineDataAttribute)attribute).Data);
        HashSet<string> names = [.. run.OfType<string>()];

        Assert.All(Document.All().Where(document => DocumentedCommand.In(document).Count > 0), document => Assert.Contains(document.Name, names));
    }

    private static IEnumerable<(string, IReadOnlyList<string>)> Shown(Document document)
    {
        bool code = false;
        for (int i = 0; i < document.Lines.Length; i++)
        {
            if (document.Lines[i].StartsWith("```", StringComparison.Ordinal)) code = !code;
            if (!code || !Start().IsMatch(document.Lines[i])) continue;
            string text = Start().Replace(document.Lines[i], "");
            // A long one goes on behind a backslash, and in YAML on deeper lines that begin with an option.
            for (int next = i + 1; text.EndsWith('\\') || document.Lines[next].TrimStart().StartsWith("--", StringComparison.Ordinal); next++)
                text = text.TrimEnd('\\') + " " + document.Lines[next].Trim();
            text = Rest().Replace(text, "");
            // What a shell or a cluster's environment puts in is not known here.
            if (!text.Contains('$', StringComparison.Ordinal) && !text.Contains("--worker auto", StringComparison.Ordinal))
                yield return ($"{document.Name}:{i + 1}", text.Replace("'", "", StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries));
        }
    }

    [GeneratedRegex(@"^\s*(?:- |run: |srun |- run: |.* \|\| )?(?:dotnet bnb|dotnet-bnb) ")]
    private static partial Regex Start();

    /// <summary>Pipes, redirections, lists and comments.</summary>
    [GeneratedRegex(@" (?:\|\|?|>|>>|2>|&&|;|#) .*$|\s+#.*$")]
    private static partial Regex Rest();
}
