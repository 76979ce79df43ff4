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
        var groups = new List<Group>();
        // By identity: plans of tensors that are treated alike share the numbers, and comparing these would cost more.
        var forms = new Dictionary<Quantization, OutputForm>(ReferenceEqualityComparer.Instance);
        long groupBytes = 0, headerBytes = 0;
        foreach (TensorPlan tensor in tensors)
        {
            OutputForm form = FormOf(tensor, forms);
            long header = 0;
            foreach (FormPart part in form.Parts) header += part.NameLength(tensor.Name) + HeaderEntryEstimate;
            bool full = groupBytes + form.Bytes > maxShardBytes || headerBytes + header > MaxHeaderEstimate;
            if (groups.Count == 0 || (full && groups[^1].Tensors.Count > 0))
            {
                groups.Add(new Group([], []));
                groupBytes = headerBytes = 0;
            }

            groups[^1].Tensors.Add(tensor);
            groups[^1].Forms.Add(form);
            groupBytes += form.Bytes;
            headerBytes += header;
        }

        if (groups.Count == 0) groups.Add(new Group([], []));
        var shards = new ShardPlan[groups.Count];
        // Each by itself: ordering half a million names is worth the second core.
        Pieces.Run(shards.Length, index =>
        {
            shards[index] = LayOut(FileName(baseName, index, groups.Count), groups[index].Tensors, groups[index].Forms);
            return groups[index].Tensors.Count;
        });
        return shards;
    }

    /// <summary>Writes the header of a finished shard, padded to the planned length.</summary>
    /// <param name="states">Actual blob lengths, in the order of the shard's quant_state outputs.</param>
    /// <param name="take">Takes the next bytes of the file: a header of a million tensors is never in memory as a whole.</param>
    public static void WriteHeader(ShardPlan shard, IReadOnlyList<int> states, Action<ReadOnlyMemory<byte>> take)
    {
        SafetensorsHeaderBuilder builder = SafetensorsHeaderBuilder.InPieces(Metadata, shard.HeaderLength, take);
        long end = shard.FixedLength;
        int next = 0;
        Span<char> buffer = new char[shard.Outputs.LongestName];
        foreach ((TensorPlan tensor, FormPart part, long begin) in shard.Outputs.Places())
        {
            ReadOnlySpan<char> name = part.NameIn(buffer, tensor.Name);
            if (part.Role != OutputRole.QuantState)
            {
                builder.Add(name, part.DType, part.Shape, begin, begin + part.Bytes);
                continue;
            }

            int length = states[next++];
            builder.Add(name, part.DType, TensorShape.Of(length), end, end + length);
            end += length;
        }

        builder.Complete();
    }

    private static ShardPlan LayOut(string fileName, List<TensorPlan> tensors, List<OutputForm> forms)
    {
        var outputs = new ShardOutputs(tensors, forms);
        SafetensorsHeaderBuilder header = SafetensorsHeaderBuilder.ToMeasure(Metadata);
        Span<char> buffer = new char[outputs.LongestName];
        foreach ((TensorPlan tensor, FormPart part, long begin) in outputs.Places())
            header.Add(part.NameIn(buffer, tensor.Name), part.DType, part.Shape, begin, begin + part.Bytes);
        int headerLength = (int)Math.Min(header.Length, int.MaxValue);
        return new ShardPlan(fileName, tensors, outputs, headerLength, outputs.FixedLength, headerLength + outputs.Length);
    }

    private static OutputForm FormOf(TensorPlan tensor, Dictionary<Quantization, OutputForm> known)
    {
        if (tensor.Quantization is not { } quantization) return OutputForm.Of(tensor.Name, OutputsOf(tensor));
        if (!known.TryGetValue(quantization, out OutputForm? form)) known[quantization] = form = OutputForm.Of(tensor.Name, OutputsOf(tensor));
        return form;
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

    /// <summary>What goes into one file.</summary>
    private sealed record Group(List<TensorPlan> Tensors, List<OutputForm> Forms);
}
