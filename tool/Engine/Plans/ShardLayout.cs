using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;

namespace Bnb.Engine.Plans;

/// <summary>
/// Source tensors to output files: a pure function of names, shapes, dtypes, recipe and the shard limit. Threads, SIMD
/// width and memory play no part, so they cannot change a byte.
/// </summary>
internal static class ShardLayout
{
    // Loaders that fetch headers remotely refuse more than 25 MB; a shard is closed before its header gets there.
    private const long MaxHeaderEstimate = 20_000_000;
    private const int HeaderEntryEstimate = 120;

    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };

    /// <summary>
    /// Fills shards in source order; a weight and its companions always share one. A tensor larger than the limit gets
    /// a shard of its own.
    /// </summary>
    /// <param name="baseName"><c>model</c> or <c>diffusion_pytorch_model</c>.</param>
    public static IReadOnlyList<ShardPlan> Build(
        IReadOnlyList<TensorPlan> tensors, string baseName, long maxShardBytes)
    {
        var groups = new List<List<TensorPlan>>();
        long groupBytes = 0, headerBytes = 0;
        foreach (TensorPlan tensor in tensors)
        {
            long bytes = OutputsOf(tensor).Sum(output => output.Bytes);
            long header = OutputsOf(tensor).Sum(output => (long)output.Name.Length + HeaderEntryEstimate);
            bool full = groupBytes + bytes > maxShardBytes || headerBytes + header > MaxHeaderEstimate;
            if (groups.Count == 0 || (full && groups[^1].Count > 0))
            {
                groups.Add([]);
                groupBytes = headerBytes = 0;
            }

            groups[^1].Add(tensor);
            groupBytes += bytes;
            headerBytes += header;
        }

        if (groups.Count == 0) groups.Add([]);
        return [.. groups.Select((group, index) => LayOut(FileName(baseName, index, groups.Count), group))];
    }

    /// <summary>The header bytes of a finished shard, padded to the planned length.</summary>
    /// <param name="states">Actual blob lengths, in the order of the shard's quant_state outputs.</param>
    public static byte[] Header(ShardPlan shard, IReadOnlyList<int> states)
    {
        byte[] header = SafetensorsHeaderWriter.Write(FinalTensors(shard, states), Metadata, shard.HeaderLength);
        if (header.Length != shard.HeaderLength)
            throw new InvalidOperationException($"header of {shard.FileName} is {header.Length} bytes, planned {shard.HeaderLength}");
        return header;
    }

    private static List<TensorInfo> FinalTensors(ShardPlan shard, IReadOnlyList<int> states)
    {
        var tensors = new List<TensorInfo>(shard.Outputs.Count);
        long end = shard.FixedLength;
        int next = 0;
        foreach (OutputTensor output in shard.Outputs)
        {
            if (output.Role != OutputRole.QuantState)
            {
                tensors.Add(output.Info);
                continue;
            }

            int length = states[next++];
            tensors.Add(output.Info with { Shape = TensorShape.Of(length), Begin = end, End = end + length });
            end += length;
        }

        return tensors;
    }

    private static ShardPlan LayOut(string fileName, List<TensorPlan> tensors)
    {
        // Widest elements first keeps every tensor aligned to its own element size without gaps, as the reference writer
        // does; the blobs come last because only their length is unknown.
        var ordered = tensors
            .SelectMany(tensor => OutputsOf(tensor).Select(output => (Tensor: tensor, Output: output)))
            .OrderBy(entry => entry.Output.Role == OutputRole.QuantState)
            .ThenByDescending(entry => entry.Output.DType.BitSize())
            .ThenBy(entry => entry.Output.Name, StringComparer.Ordinal);

        var outputs = new List<OutputTensor>();
        long position = 0, fixedLength = 0;
        foreach ((TensorPlan tensor, PlannedTensor output) in ordered)
        {
            var info = new TensorInfo(output.Name, output.DType, output.Shape, position, position + output.Bytes);
            outputs.Add(new OutputTensor(tensor, output.Role, info));
            position += output.Bytes;
            if (output.Role != OutputRole.QuantState) fixedLength = position;
        }

        int headerLength = SafetensorsHeaderWriter.Write([.. outputs.Select(output => output.Info)], Metadata).Length;
        return new ShardPlan(fileName, tensors, outputs, headerLength, fixedLength, headerLength + position);
    }

    private static IEnumerable<PlannedTensor> OutputsOf(TensorPlan tensor) => tensor switch
    {
        { Quantization: { } quantization } => quantization.Outputs(tensor.Name),
        { Dequantization: { } packed } => [DenseOutput(packed)],
        { Input: { } input } => [new PlannedTensor(
            input.Name, input.DType, input.Shape, OutputRole.Dense, input.Shape.ElementCount * (input.DType.BitSize() / 8))],
        _ => [new PlannedTensor(tensor.Source.Name, tensor.Source.DType, tensor.Source.Shape, OutputRole.Copied, tensor.Source.ByteCount)],
    };

    private static PlannedTensor DenseOutput(Dequantization packed) =>
        new(packed.Weight.Name, FloatTypes.Stored(packed.Type), packed.Shape, OutputRole.Dense, packed.OutputBytes);

    private static string FileName(string baseName, int index, int count) =>
        count == 1 ? $"{baseName}.safetensors" : $"{baseName}-{index + 1:D5}-of-{count:D5}.safetensors";
}
