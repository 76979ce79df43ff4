using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Sources;

/// <summary><c>verify --update-card</c>: figures in the README.md of the output, and a manifest that stays true.</summary>
public sealed class CardUpdateTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void Verify_UpdateCard_WritesTheFiguresAndKeepsTheManifestTrue()
    {
        (string source, string output) = Made("# Tiny\n\n---\n\nIts text.\n");
        string before = Card(output);

        ToolRun.Succeed("verify", output, "--source", source, "--update-card");
        string once = Card(output);
        ToolRun.Succeed("verify", output, "--source", source, "--update-card");

        Assert.Contains("code by code.\n\n<!-- bnb:verify -->\n## Verified against the original\n", once, StringComparison.Ordinal);
        Assert.Contains("| layers | 4 checked, 0 failed |\n| codes | 0 of ", once, StringComparison.Ordinal);
        Assert.EndsWith("<!-- /bnb:verify -->\n\n---\n\n# Tiny\n\n---\n\nIts text.\n", once, StringComparison.Ordinal);
        Assert.DoesNotContain(_temp.Path, once, StringComparison.Ordinal);
        Assert.Equal(once, Card(output));
        Assert.Equal(before, once[..once.IndexOf("\n<!-- bnb", StringComparison.Ordinal)] + once[(once.IndexOf("/bnb:verify -->\n", StringComparison.Ordinal) + 16)..]);
        ToolRun.Succeed("verify", output, "--manifest");
        Assert.Contains("nothing to do", ToolRun.Succeed("quantize", source, "--output", output).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_UpdateCardWithoutACard_CreatesOneThatTheManifestNames()
    {
        (string source, string output) = Made(null);

        ToolRun.Succeed("verify", output, "--source", source, "--update-card");

        Assert.StartsWith("<!-- bnb:verify -->\n## Verified", Card(output), StringComparison.Ordinal);
        Assert.DoesNotContain("not in the manifest", ToolRun.Succeed("verify", output, "--manifest").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_UpdateCardOfSomebodyElse_StandsBelowTheMetadata()
    {
        (string source, string output) = Made(null);
        File.WriteAllText(Path.Combine(output, "README.md"), "---\r\nlicense: mit\r\n---\r\nMine.\r\n");

        ToolRun.Succeed("verify", output, "--source", source, "--update-card");

        Assert.StartsWith("---\nlicense: mit\n---\n\n<!-- bnb:verify -->\n", Card(output), StringComparison.Ordinal);
        Assert.EndsWith("<!-- /bnb:verify -->\n\nMine.\n", Card(output), StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_UpdateCardOfARunThatFails_LeavesItAndSaysSo()
    {
        (string source, string output) = Made("# Tiny\n");
        string before = Card(output);

        ToolRun run = ToolRun.Of("verify", output, "--source", source, "--update-card", "--max-rel-error", "0.01");

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.Contains("warning: the model card stays as it was", run.Error, StringComparison.Ordinal);
        Assert.Equal(before, Card(output));
    }

    [Fact]
    public void Verify_UpdateCardThatCannotBe_IsRefusedBeforeTheWork()
    {
        (string source, string output) = Made("# Tiny\n");
        Refusal.AssertIs(
            ToolRun.Of("verify", Path.Combine(output, "model.safetensors"), "--source", source, "--update-card"), ExitCode.OutputRefused, "CARD");
        File.Delete(Path.Combine(output, "README.md"));
        File.CreateSymbolicLink(Path.Combine(output, "README.md"), _temp["elsewhere.md"]);

        Refusal.AssertIs(ToolRun.Of("verify", output, "--source", source, "--update-card"), ExitCode.OutputRefused, "CARD");

        Assert.False(File.Exists(_temp["elsewhere.md"]));
    }

    private static string Card(string output) => File.ReadAllText(Path.Combine(output, "README.md"));

    private (string Source, string Output) Made(string? card)
    {
        string source = VerifyModel.Source(_temp["source"]);
        if (card is not null) File.WriteAllText(Path.Combine(source, "README.md"), card);
        return (source, VerifyModel.Quantize(source, _temp["out"]));
    }
}
