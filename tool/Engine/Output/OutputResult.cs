using Bnb.Engine.Work;

namespace Bnb.Engine.Output;

/// <summary>What a run did.</summary>
/// <param name="Shards">Weight files of the run's share, in the order of the plan.</param>
/// <param name="Reused">How many of them an earlier run had made.</param>
internal sealed record OutputResult(IReadOnlyList<ShardResult> Shards, int Reused, OutputState State)
{
    /// <summary>False when a weight file was written without its SHA-256, so that nobody can check it later.</summary>
    public bool HasChecksums => Shards.All(static shard => shard.File is not { Sha256: null });
}
