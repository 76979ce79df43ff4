using System.Runtime.CompilerServices;
using Bnb.Cli.Commands;
using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;

namespace Bnb.Cli;

internal static class Program
{
    private static int Main(string[] args) => DescriptorLimit.IsTooLow(args) ? (int)ExitCode.MemoryLimit : Run(args);

    // Not inlined: what it names would be loaded before the limit is looked at.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Run(string[] args)
    {
        if (args is ["quantize" or "demo", ..]) Ahead.Begin();
        using var signals = new SignalCancellation(listen: true);
        return (int)Application.Run(args, new SystemTerminal(), signals);
    }
}
