using System.Runtime.CompilerServices;
using Bnb.Cli.Commands;
using Bnb.Cli.Errors;
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
        var terminal = new SystemTerminal();
        bool json = args.Contains("--json");
        LastResort.Install(terminal, json);
        if (ByteOrder.Refusal(BitConverter.IsLittleEndian) is { } refused) return (int)LastResort.Say(refused, terminal, json, "nothing was written");
        return (int)Application.Run(args, terminal, signals);
    }
}
