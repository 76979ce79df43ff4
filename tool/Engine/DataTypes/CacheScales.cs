using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// Scales of a quantized key and value cache, which compressed-tensors stores beside the weights: a server's setting that
/// belongs to the <c>quantization_config</c> and goes with it.
/// </summary>
internal static class CacheScales
{
    private static readonly string[] Leaves =
        ["k_scale", "v_scale", "q_scale", "kv_scale", "prob_scale", "prob_output_scale", "k_zero_point", "v_zero_point", "q_zero_point"];

    // Older ones are scales of what these layers put out.
    private static readonly string[] Outputs = ["k_proj.output_scale", "v_proj.output_scale", "q_proj.output_scale", "qkv_proj.output_scale", "kv_proj.output_scale"];

    /// <summary>Whether a tensor is called like one.</summary>
    public static bool IsName(string tensor) => Leaves.Contains(tensor[(tensor.LastIndexOf('.') + 1)..])
        || Outputs.Any(name => tensor.EndsWith(name, StringComparison.Ordinal));

    /// <summary>Names of those that are left out when the <c>quantization_config</c> goes.</summary>
    public static IReadOnlyList<string> LeftOut(Checkpoint source) =>
        source.Config?.Quantization is { HasCacheScheme: true } ? [.. source.Tensors.Select(static tensor => tensor.Name).Where(IsName)] : [];

    /// <summary>The plain tensors of a checkpoint without them, where its config has a <c>kv_cache_scheme</c>; else all.</summary>
    public static IReadOnlyList<CheckpointTensor> Without(QuantizedCheckpoint checkpoint) =>
        checkpoint.Source.Config?.Quantization is { HasCacheScheme: true }
            ? [.. checkpoint.Plain.Where(static tensor => !IsName(tensor.Name))]
            : checkpoint.Plain;

    /// <summary>What is said of those that were left out.</summary>
    /// <param name="names">One or more.</param>
    public static string Note(IReadOnlyList<string> names) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"{names.Count} scales of a quantized KV cache, which belong to the quantization_config, first {DisplayText.Escape(names[0])}");
}
