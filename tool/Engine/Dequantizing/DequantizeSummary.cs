using Bnb.Engine.Devices;
using Bnb.Engine.Output;
using Bnb.Engine.Work;

namespace Bnb.Engine.Dequantizing;

/// <summary>What a dequantization did.</summary>
/// <param name="Output">The folder, as it was asked for.</param>
/// <param name="Engine">What ran the kernels; null when there was nothing to do.</param>
internal sealed record DequantizeSummary(
    DequantizePlan Plan, string Output, ComputeEngine? Engine, OutputResult Result, TimeSpan Elapsed)
{
    public IReadOnlyList<ShardResult> Shards => Result.Shards;

    /// <summary>Bytes of the output's weight files, headers included.</summary>
    public long OutputFileBytes => Shards.Sum(shard => shard.FileLength);
}
