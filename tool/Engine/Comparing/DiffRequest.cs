using Bnb.Engine.Policy;
using Bnb.Quant.Backends;

namespace Bnb.Engine.Comparing;

/// <summary>The options of <c>diff</c> as values.</summary>
internal sealed record DiffRequest
{
    public required string PathA { get; init; }

    public required string PathB { get; init; }

    /// <summary>In the order of the command line; the last match wins.</summary>
    public IReadOnlyList<PatternRule> Patterns { get; init; } = [];

    /// <summary>Show equal weights too.</summary>
    public bool All { get; init; }

    public int Threads { get; init; } = Environment.ProcessorCount;

    public long MaxMemoryBytes { get; init; } = 256L << 20;

    public KernelPath? KernelPath { get; init; }
}
