using Bnb.Cli.Commands;
using Bnb.Cli.Terminal;

namespace Bnb.Cli;

internal static class Program
{
    private static int Main(string[] args)
    {
        using var signals = new SignalCancellation(listen: true);
        return (int)Application.Run(args, new SystemTerminal(), signals);
    }
}
