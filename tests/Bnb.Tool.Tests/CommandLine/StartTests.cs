using System.CommandLine;
using Bnb.Cli.Commands;
using Bnb.Cli.Screens;
using Bnb.Cli.Terminal;
using Bnb.Engine.Quantizing;
using Xunit;

namespace Bnb.Tool.Tests.CommandLine;

/// <summary>A run that names its command builds that one alone, and prepares on another core what it needs later.</summary>
public class StartTests
{
    public static TheoryData<string> Commands => [.. All().Subcommands.Select(static command => command.Name)];

    [Theory]
    [MemberData(nameof(Commands))]
    public void Help_OfACommandBuiltAlone_IsThatOfTheWholeTree(string name)
    {
        var terminal = new FakeTerminal();
        All(terminal).Parse([name, "--help"]).Invoke(new InvocationConfiguration { Output = terminal.Out, Error = terminal.Error });
        Assert.Equal(terminal.OutText, ToolRun.Succeed(name, "--help").Out);
    }

    [Fact]
    public void Prepare_OfTheEngine_Runs() => QuantizeAhead.Prepare();

    [Fact]
    public void Prepare_OfTables_Runs() => TableConsole.Prepare();

    private static RootCommand All(FakeTerminal? terminal = null) =>
        Application.CreateRoot(new CommandHost(terminal ?? new FakeTerminal(), new SignalCancellation(listen: false)), terminal ?? new FakeTerminal());
}
