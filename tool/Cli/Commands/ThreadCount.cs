using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Terminal;

namespace Bnb.Cli.Commands;

internal static class ThreadCount
{
    /// <summary>How many threads to use: as many as were asked for, one per processor without that, while each can open its files.</summary>
    public static int ThreadsOf(this ParseResult parsed, Option<int> threads) =>
        Math.Min(parsed.ValueOr(threads, Environment.ProcessorCount), DescriptorLimit.MostThreads());
}
