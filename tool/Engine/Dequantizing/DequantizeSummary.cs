using Bnb.Engine.Devices;
using Bnb.Engine.Output;
using Bnb.Engine.Work;

namespace Bnb.Engine.Dequantizing;

/// <summary>What a dequantization did.</summary>
/// <param name="Plan">What was planned, for a model or a component of a pipeline.</param>
/// <param name="Output">The folder, as it was asked for.</param>
/// <param name="Engine">What ran the kernels; null when there was nothing to do.</param>
internal sealed record DequantizeSummary(
    DequantizePlan Plan, string Output, ComputeEngine? Engine, OutputResult Result, TimeSpan Elapsed)
{
    /// <summary>One for each model of an output.</summary>
    /// <param name="models">Their plans, whose weight files are those of the output in its order.</param>
    public static IReadOnlyList<DequantizeSummary> Of(IReadOnlyList<DequantizePlan> models, string output, ComputeEngine? engine, OutputResult result, TimeSpan elapsed)
    {
        List<DequantizeSummary> summaries = [];
        int first = 0;
        foreach (DequantizePlan model in models)
        {
            OutputResult own = result with { Shards = [.. result.Shards.Skip(first).Take(model.Shards.Count)] };
            summaries.Add(new DequantizeSummary(model, output, engine, own, elapsed));
            first += model.Shards.Count;
        }

        return summaries;
    }

    public IReadOnlyList<ShardResult> Shards => Result.Shards;

    /// <summary>Bytes of the output's weight files, headers included.</summary>
    public long OutputFileBytes => Shards.Sum(shard => shard.FileLength);
}
