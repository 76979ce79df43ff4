using System.CommandLine;
using System.Diagnostics;
using Bnb.Cli.Commands;
using Bnb.Cli.Completion;
using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Processes;
using Xunit;

namespace Bnb.Tool.Tests.CommandLine;

public sealed class CompletionTests
{
    private static readonly RootCommand Root = Application.CreateRoot(new CommandHost(new FakeTerminal(), new SignalCancellation(listen: false)), new FakeTerminal());

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    [InlineData("pwsh")]
    public void Script_OfEachShell_NamesEveryCommandAndLongOption(string shell)
    {
        string script = ToolRun.Succeed("completion", shell).Out;

        foreach (CommandShape command in CommandShape.All(Root))
        {
            Assert.Contains(command.Name, script, StringComparison.Ordinal);
            Assert.All(command.Options, option => Assert.Contains(option.Names[0].TrimStart('-'), script, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Values_OfEachOption_AreTakenByItsParser()
    {
        foreach (Command command in Root.Subcommands)
        {
            foreach (OptionShape option in command.Options.Select(option => OptionShape.Of(command, option)))
            {
                foreach (string value in option.Values)
                {
                    var errors = Root.Parse([command.Name, option.Names[0], value]).Errors;
                    Assert.DoesNotContain(errors, error => error.Message.Contains("does not know", StringComparison.Ordinal));
                }
            }
        }
    }

    [Theory]
    [InlineData("inspect", "dotnet-bnb", "ins")]
    [InlineData("quantize", "dotnet", "bnb", "quan")]
    [InlineData("--double-quant", "dotnet", "bnb", "quantize", "model", "--dou")]
    [InlineData("nf4", "dotnet-bnb", "quantize", "model", "--type", "n")]
    [InlineData("cuda", "dotnet-bnb", "verify", "model", "--device", "c")]
    [InlineData("nf4 fp4", "dotnet-bnb", "codes", "--type", "''")]
    [InlineData("bfloat16 float16", "dotnet", "bnb", "verify", "model", "--compute-dtype", "''")]
    [InlineData("nf4 fp4 int8 int4 fp8 none", "dotnet-bnb", "plan", "model", "-t", "''")]
    [InlineData("bash zsh fish pwsh", "dotnet-bnb", "completion", "''")]
    [InlineData("lint", "dotnet-bnb", "help", "li")]
    public void Bash_WordBegun_IsCompleted(string expected, params string[] words)
    {
        ToolProcess.SkipWithout("bash");
        using var temp = new TempFolder();
        string script = temp.Write("completion", System.Text.Encoding.UTF8.GetBytes(ToolRun.Succeed("completion", "bash").Out));
        string function = words[0] == "dotnet" ? "_dotnet_or_bnb" : "_dotnet_bnb";
        string line = $"source '{script}'; COMP_WORDS=({string.Join(' ', words)}); COMP_CWORD={words.Length - 1}; {function}; printf '%s\\n' \"${{COMPREPLY[@]}}\"";

        using Process bash = Process.Start(new ProcessStartInfo("bash", ["-c", line]) { RedirectStandardOutput = true })!;
        string[] completed = bash.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        bash.WaitForExit();

        if (expected.Contains(' ', StringComparison.Ordinal)) Assert.Equal(expected.Split(' '), completed);
        else Assert.Contains(expected, completed);
    }

    // The same lines as a person types them, in the shells themselves, where they are installed.
    [Theory]
    [InlineData("dotnet-bnb ins", "inspect")]
    [InlineData("dotnet-bnb quantize model --dou", "--double-quant")]
    [InlineData("dotnet-bnb quantize model --type n", "nf4 none")]
    [InlineData("dotnet-bnb codes --type ", "nf4 fp4")]
    [InlineData("dotnet-bnb verify model --compute-dtype ", "bfloat16 float16")]
    [InlineData("dotnet-bnb completion ", "bash zsh fish pwsh")]
    [InlineData("dotnet bnb quantize model --blo", "--block-size")]
    public void FishAndPwsh_WordBegun_IsCompleted(string line, string expected)
    {
        using var temp = new TempFolder();
        string[] words = [.. expected.Split(' ').Order(StringComparer.Ordinal)];
        if (Script("fish") is { } fish) Assert.Equal(words, Completed("fish", "--no-config", "-c", $"source '{fish}'; complete -C '{line}' | cut -f1"));
        if (!line.StartsWith("dotnet ", StringComparison.Ordinal) && Script("pwsh") is { } pwsh)
        {
            Assert.Equal(words, Completed(
                "pwsh", "-NoProfile", "-Command",
                $"Get-Content -Raw '{pwsh}' | Invoke-Expression; [System.Management.Automation.CommandCompletion]::CompleteInput('{line}', {line.Length}, $null).CompletionMatches | ForEach-Object CompletionText"));
        }

        string? Script(string shell) => ToolProcess.Has(shell)
            ? temp.Write("completion." + shell, System.Text.Encoding.UTF8.GetBytes(ToolRun.Succeed("completion", shell).Out))
            : null;
    }

    private static string[] Completed(string shell, params string[] words)
    {
        using Process process = Process.Start(new ProcessStartInfo(shell, words) { RedirectStandardOutput = true })!;
        string[] completed = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        return [.. completed.Order(StringComparer.Ordinal)];
    }

    [Fact]
    public void Fish_DotnetBnb_IsCompletedAsTheOtherName() => Assert.Contains(
        "\ncomplete -c dotnet -n '__fish_seen_subcommand_from bnb' -f -a '(complete -C (string replace -r \"^\\s*dotnet\\s+bnb\" dotnet-bnb -- (commandline -cp)))'\n",
        ToolRun.Succeed("completion", "fish").Out, StringComparison.Ordinal);

    [Fact]
    public void Completion_OtherShell_IsRefused() => Refusal.AssertIs(ToolRun.Of("completion", "tcsh"), ExitCode.Usage, "USAGE");

    [Fact]
    public void Manual_All_NamesEveryCommandAndOption()
    {
        string page = ToolRun.Succeed("man").Out.Replace("\\-", "-", StringComparison.Ordinal);

        Assert.StartsWith(".TH DOTNET-BNB 1", page, StringComparison.Ordinal);
        foreach (CommandShape command in CommandShape.All(Root))
        {
            Assert.Contains(".SS " + command.Name, page, StringComparison.Ordinal);
            Assert.All(command.Options, option => Assert.Contains($"\\fB{option.Names[0]}\\fR", page, StringComparison.Ordinal));
        }

        // A line that begins with a point is a command to roff; all of these are ours.
        Assert.All(page.Split('\n').Where(line => line.StartsWith('.')), line => Assert.Matches(@"^\.(TH|SH|SS|TP|PP|B|I|nf|fi)\b", line));
    }
}
