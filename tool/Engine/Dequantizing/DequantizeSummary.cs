using Bnb.Engine.Devices;
using Bnb.Engine.Output;
using Bnb.Engine.Work;

namespace Bnb.Engine.Dequantizing;

/// <summary>What a dequantization did.</summary>
internal sealed record DequantizeSummary(
    DequantizePlan Plan, OutputPlace Place, ComputeEngine Engine, IReadOnlyList<ShardResult> Shards, TimeSpan Elapsed)
{
    /// <summary>Bytes of the output's weight files, headers included.</summary>
    public long OutputFileBytes => Shards.Sum(shard => shard.FileLength);
}
