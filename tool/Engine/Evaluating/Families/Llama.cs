namespace Bnb.Engine.Evaluating.Families;

/// <summary>Llama, and with a sliding window in all layers Mistral.</summary>
internal static class Llama
{
    public static DecoderForm Describe(ConfigReader config) => Of(config, _ => config.OptionalSize("sliding_window"));

    /// <param name="window">Of layer i.</param>
    /// <param name="attention">What a relative changes about the attention of layer i, whose module is the second text.</param>
    /// <param name="feedForward">Its feed-forward block, if another.</param>
    public static DecoderForm Of(
        ConfigReader config, Func<int, int?>? window = null, Func<AttentionForm, int, string, AttentionForm>? attention = null,
        Func<int, string, FeedForwardForm>? feedForward = null)
    {
        RotaryForm rotary = RotarySettings.Read(config, config.HeadWidth);
        return Blocks.Decoder(config, Blocks.Rms(config, "model.norm"), index =>
        {
            string layer = Blocks.Layer(index), module = layer + ".self_attn";
            AttentionForm form = Blocks.Attention(config, module, Blocks.Shape(config, window?.Invoke(index))) with { Rotary = rotary };
            return new LayerForm(
                attention?.Invoke(form, index, module) ?? form,
                feedForward?.Invoke(index, layer) ?? Blocks.Gated(config, layer + ".mlp", config.Intermediate))
            {
                BeforeAttention = Blocks.Rms(config, layer + ".input_layernorm"),
                BeforeFeedForward = Blocks.Rms(config, layer + ".post_attention_layernorm"),
            };
        });
    }
}
