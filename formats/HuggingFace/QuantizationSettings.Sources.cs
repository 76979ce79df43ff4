using System.Text.Json;

namespace Bnb.Formats.HuggingFace;

// What FP8, GPTQ and AWQ checkpoints say.
public sealed partial class QuantizationSettings
{
    /// <summary>Rows and columns that share an FP8 scale: <c>weight_block_size</c>, or compressed-tensors'
    /// <c>block_structure</c> of the first group that has one.</summary>
    public (long Rows, long Columns)? WeightBlock =>
        Pair(_object, "weight_block_size") ?? Groups.Select(group => group.BlockStructure).FirstOrDefault(block => block is not null);

    /// <summary>GPTQ's <c>checkpoint_format</c>: <c>gptq</c>, <c>gptq_v2</c> and others; or <c>format</c>, as gptqmodel 5 and
    /// transformers 5 call it, of GPTQ and AWQ.</summary>
    public string? CheckpointFormat => Text("checkpoint_format") ?? (Method is "gptq" or "awq" or null ? Text("format") : null);

    /// <summary>AWQ's <c>version</c>: <c>gemm</c> and others.</summary>
    public string? Version => Text("version");

    /// <summary>GPTQ's and AWQ's <c>group_size</c>; -1 for one group.</summary>
    public long? GroupSize => _object.TryGetProperty("group_size", out JsonElement value)
        && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long size) ? size : null;

    /// <summary>GPTQ's <c>is_marlin_format</c>.</summary>
    public bool IsMarlin => Flag("is_marlin_format") ?? false;

    /// <summary>A list of two numbers above 0; null for anything else.</summary>
    internal static (long First, long Second)? Pair(JsonElement parent, string member)
    {
        if (!parent.TryGetProperty(member, out JsonElement value) || value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != 2)
            return null;
        return value[0].ValueKind == JsonValueKind.Number && value[0].TryGetInt64(out long first) && first > 0
            && value[1].ValueKind == JsonValueKind.Number && value[1].TryGetInt64(out long second) && second > 0
            ? (first, second)
            : null;
    }
}
