using Bnb.Formats;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Safetensors;
using Bnb.Quant;

namespace Bnb.Tool.Pipeline;

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

    /// <summary>Names of the tensors that a quantized weight adds beside itself.</summary>
    public static IEnumerable<string> CompanionNames(string name, QuantizeRecipe recipe)
    {
        yield return BnbKeys.Absmax(name);
        yield return BnbKeys.QuantMap(name);
        yield return BnbKeys.NestedAbsmax(name);
        yield return BnbKeys.NestedQuantMap(name);
        yield return BnbKeys.QuantState(name, recipe.Code.Name);
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
        foreach ((TensorPlan tensor, Output output) in ordered)
        {
            var info = new TensorInfo(output.Name, output.DType, output.Shape, position, position + output.Bytes);
            outputs.Add(new OutputTensor(tensor, output.Role, info));
            position += output.Bytes;
            if (output.Role != OutputRole.QuantState) fixedLength = position;
        }

        int headerLength = SafetensorsHeaderWriter.Write([.. outputs.Select(output => output.Info)], Metadata).Length;
        return new ShardPlan(fileName, tensors, outputs, headerLength, fixedLength, headerLength + position);
    }

    private sealed record Output(string Name, DType DType, TensorShape Shape, OutputRole Role, long Bytes);

    private static IEnumerable<Output> OutputsOf(TensorPlan tensor) => tensor switch
    {
        { Quantization: { } quantization } => PackedOutputs(tensor.Source.Name, quantization),
        { Dequantization: { } packed } => [DenseOutput(tensor.Source.Name, packed)],
        _ => [new Output(tensor.Source.Name, tensor.Source.DType, tensor.Source.Shape, OutputRole.Copied, tensor.Source.ByteCount)],
    };

    private static Output DenseOutput(string name, Dequantization packed)
    {
        DType dtype = packed.Type switch
        {
            ElementType.F16 => DType.F16,
            ElementType.BF16 => DType.BF16,
            _ => DType.F32,
        };
        TensorShape shape = packed.Transpose
            ? TensorShape.Of(packed.Weight.Columns, packed.Weight.Rows)
            : TensorShape.Of(packed.Weight.Rows, packed.Weight.Columns);
        return new Output(name, dtype, shape, OutputRole.Dense, packed.OutputBytes);
    }

    private static IEnumerable<Output> PackedOutputs(string name, Quantization quantization)
    {
        QuantizeRecipe recipe = quantization.Recipe;
        long packed = quantization.PackedBytes, blocks = quantization.BlockCount, nested = quantization.NestedBlockCount;
        int storageBytes = recipe.QuantStorage.BitSize() / 8;
        yield return new Output(name, recipe.QuantStorage, TensorShape.Of(packed / storageBytes, 1), OutputRole.Packed, packed);
        yield return recipe.DoubleQuant
            ? new Output(BnbKeys.Absmax(name), DType.U8, TensorShape.Of(blocks), OutputRole.Absmax, blocks)
            : new Output(BnbKeys.Absmax(name), DType.F32, TensorShape.Of(blocks), OutputRole.Absmax, blocks * sizeof(float));
        yield return new Output(BnbKeys.QuantMap(name), DType.F32, TensorShape.Of(16), OutputRole.QuantMap, 16 * sizeof(float));
        if (recipe.DoubleQuant)
        {
            yield return new Output(
                BnbKeys.NestedAbsmax(name), DType.F32, TensorShape.Of(nested), OutputRole.NestedAbsmax, nested * sizeof(float));
            yield return new Output(
                BnbKeys.NestedQuantMap(name), DType.F32, TensorShape.Of(256), OutputRole.NestedQuantMap, 256 * sizeof(float));
        }

        int state = ShardPlan.QuantState(quantization, recipe.DoubleQuant ? 0f : null).MaxUtf8Length;
        yield return new Output(
            BnbKeys.QuantState(name, recipe.Code.Name), DType.U8, TensorShape.Of(state), OutputRole.QuantState, state);
    }

    private static string FileName(string baseName, int index, int count) =>
        count == 1 ? $"{baseName}.safetensors" : $"{baseName}-{index + 1:D5}-of-{count:D5}.safetensors";
}
