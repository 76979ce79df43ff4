using Bnb.Tool.Commands;
using Bnb.Tool.Terminal;

namespace Bnb.Tool;

internal static class Program
{
    private static int Main(string[] args)
    {
        using var signals = new SignalCancellation(listen: true);
        return (int)Application.Run(args, new SystemTerminal(), signals);
    }
}
