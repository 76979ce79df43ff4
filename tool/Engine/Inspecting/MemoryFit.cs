using System.Text.Json;
using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Inspecting;

/// <summary>
/// Whether a model and its KV cache fit a GPU: an estimate from the config, never below what the cache takes. Activations, the
/// runtime and fragmentation are one allowance; nobody can know them from files.
/// </summary>
/// <param name="Available">Bytes of the GPU.</param>
/// <param name="Context">Tokens in the cache, of all sequences together.</param>
/// <param name="WeightBytes">Bytes of all tensors.</param>
/// <param name="CacheBytesPerToken">Of keys and values of all layers in 16 bit; null when the config does not say.</param>
internal sealed record MemoryFit(long Available, long Context, long WeightBytes, long? CacheBytesPerToken)
{
    // CUDA context, activations of one batch, fragmentation: what servers hold back by default.
    private const int AllowancePercent = 10;

    /// <summary>A 16-bit cache; loaders quantize it only when told to.</summary>
    private const int BytesPerValue = 2;

    private const long LargestDimension = 1L << 20;

    /// <summary>Keys and values of the whole context; null when unknown, or too large to be true.</summary>
    public long? CacheBytes => CacheBytesPerToken is { } each && each <= long.MaxValue / Math.Max(1, Context) ? each * Context : null;

    /// <summary>Held back for everything else.</summary>
    public long AllowanceBytes => Available / 100 * AllowancePercent;

    /// <summary>What is left; negative when it does not fit. Without a known cache: beside the weights.</summary>
    public long LeftBytes => Available - AllowanceBytes - WeightBytes - (CacheBytes ?? 0);

    /// <summary>True when all of it fits.</summary>
    public bool Fits => LeftBytes >= 0;

    /// <summary>Tokens for which there is room beside the weights; null when the cache is unknown.</summary>
    public long? MostTokens => CacheBytesPerToken is > 0 and { } each ? Math.Max(0, Available - AllowanceBytes - WeightBytes) / each : null;

    /// <summary>The estimate for weights of so many bytes.</summary>
    /// <param name="config">Says layers and heads; null when there is none.</param>
    public static MemoryFit Of(ModelConfig? config, long weightBytes, long available, long context) =>
        new(available, context, weightBytes, config is null ? null : PerToken(config));

    /// <summary>
    /// Layers x (keys + values) x 2 bytes. Latent attention (DeepSeek) keeps one compressed vector and a rotary key per layer;
    /// windows and linear layers make it less than this, never more.
    /// </summary>
    private static long? PerToken(ModelConfig config)
    {
        JsonElement root = config.Root.TryGetProperty("text_config", out JsonElement inner) && inner.ValueKind == JsonValueKind.Object ? inner : config.Root;
        if (Number(root, "num_hidden_layers", "n_layer", "n_layers", "num_layers") is not { } layers) return null;
        if (Number(root, "kv_lora_rank") is { } latent) return layers * (latent + (Number(root, "qk_rope_head_dim") ?? 0)) * BytesPerValue;
        long? heads = Number(root, "num_attention_heads", "n_head", "n_heads");
        long? keyHeads = Number(root, "num_key_value_heads", "num_kv_heads") ?? heads;
        long? width = Number(root, "head_dim") ?? (heads is > 0 && Number(root, "hidden_size", "n_embd", "d_model") is { } hidden ? hidden / heads : null);
        return keyHeads is null || width is null ? null : checked(2 * layers * keyHeads.Value * width.Value * BytesPerValue);
    }

    private static long? Number(JsonElement config, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (config.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number
                && value.TryGetInt64(out long number) && number is > 0 and <= LargestDimension) return number;
        }

        return null;
    }
}
