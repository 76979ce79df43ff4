using Bnb.Engine.Devices;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;

namespace Bnb.Engine.Quantizing;

/// <summary>What a run did, or in a dry run would do. All sizes are those on disk, exact to the byte.</summary>
/// <param name="Plan">What was planned; of a worker, its share of it.</param>
/// <param name="Engine">What ran the kernels; null when there was nothing to do.</param>
internal sealed record QuantizeSummary(QuantizePlan Plan, QuantizeRequest Request, ComputeEngine? Engine, OutputResult Result, TimeSpan Elapsed)
{
    /// <summary>The weight files, in the order of the plan's shards.</summary>
    public IReadOnlyList<ShardResult> Shards => Result.Shards;

    /// <summary>Bytes of the output's weight files, headers included.</summary>
    public long OutputFileBytes => Shards.Sum(shard => shard.FileLength);

    public long OutputTensorBytes => Shards.Sum(shard => shard.TensorBytes);

    /// <summary>Tensor bytes of the output per parameter, in bits.</summary>
    public double BitsPerParameter => Plan.ParameterCount == 0 ? 0 : OutputTensorBytes * 8.0 / Plan.ParameterCount;

    /// <summary>Output bytes of each source tensor, companions included.</summary>
    public IReadOnlyDictionary<TensorPlan, long> OutputBytesByTensor()
    {
        var bytes = new Dictionary<TensorPlan, long>(Plan.Tensors.Count, ReferenceEqualityComparer.Instance);
        for (int i = 0; i < Shards.Count; i++)
        {
            int state = 0;
            foreach ((TensorPlan tensor, OutputPart part, _) in Plan.Shards[i].Outputs.Places())
            {
                long length = part.Role == OutputRole.QuantState ? Shards[i].StateLengths[state++] : part.Bytes;
                bytes[tensor] = bytes.GetValueOrDefault(tensor) + length;
            }
        }

        return bytes;
    }
}
