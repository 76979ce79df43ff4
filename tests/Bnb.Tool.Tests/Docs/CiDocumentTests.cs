using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Docs;

/// <summary>
/// Every command of docs/ci.md is run, in the order of the text, on a model that lies where the document says: with its policy file,
/// and with the baseline that its own command makes.
/// </summary>
public sealed class CiDocumentTests : IDisposable
{
    // What the document calls a model, and where a run of it may write.
    private static readonly string[] Places = ["MODEL", "MODEL-nf4", "models/", "ci/", "verify."];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Commands_OfTheDocument_DoWhatItSays()
    {
        Document document = Document.Read("docs/ci.md");
        foreach (string model in (string[])["MODEL", "models/model"])
        {
            SampleCheckpoint.Small.Write(_folder[model]);
            ToolRun.Succeed("quantize", _folder[model], "--output", _folder[model + "-nf4"]);
        }

        Directory.CreateDirectory(_folder["ci"]);
        File.WriteAllText(_folder["ci/verify-policy.json"], PolicyOf(document));
        List<IReadOnlyList<string>> commands = [.. MentionedCommandTests.InScripts(document).Select(Words)];
        // Made once and committed, so before the jobs that compare with it.
        IReadOnlyList<string> baseline = commands.Single(words => words is [.., "--report", var file] && file.EndsWith("verify-baseline.json", StringComparison.Ordinal));

        ToolRun.Succeed(baseline);
        foreach (IReadOnlyList<string> command in commands)
        {
            foreach (string report in command.Where(word => Path.GetFileName(word).StartsWith("verify.", StringComparison.Ordinal))) File.Delete(report);
            // A second job finds what the first has made.
            if (command[0] == "quantize" && Directory.Exists(_folder["models/model-nf4"])) Directory.Delete(_folder["models/model-nf4"], recursive: true);

            ToolRun.Succeed(command);

            Assert.All(command.Where(word => Path.GetFileName(word).StartsWith("verify.", StringComparison.Ordinal)), report => Assert.True(new FileInfo(report).Length > 0, report));
        }

        Assert.InRange(commands.Count, 7, 20);
    }

    private static string PolicyOf(Document document)
    {
        int begin = Array.FindIndex(document.Lines, line => line == "```json");
        return string.Join('\n', document.Lines.Skip(begin + 1).TakeWhile(line => line != "```"));
    }

    private IReadOnlyList<string> Words(string line) =>
    [
        .. DocumentedCommand.Words(line).TakeWhile(word => word is not ("||" or "&&" or "|" or ">"))
            .Select(word => Places.Any(place => word == place || (place.EndsWith('/') || place.EndsWith('.') ? word.StartsWith(place, StringComparison.Ordinal) : false)) ? _folder[word] : word),
    ];
}
