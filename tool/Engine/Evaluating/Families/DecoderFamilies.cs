using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>The families whose forward pass is known, by <c>model_type</c>. Each equals transformers' class of the same name in
/// float32, which tests prove with vectors made by it.</summary>
internal static class DecoderFamilies
{
    private static readonly Dictionary<string, Family> Known = new(StringComparer.Ordinal)
    {
        ["cohere2"] = new(Cohere2.Describe, Cohere2.Defaults),
        ["deepseek_v3"] = new(DeepseekV3.Describe, DeepseekV3.Defaults),
        ["gemma2"] = new(Gemma.Describe2, Gemma.Defaults2),
        ["gemma3_text"] = new(Gemma.Describe3, Gemma.Defaults3),
        ["glm4"] = new(Glm4.Describe, Glm4.Defaults),
        ["gpt2"] = new(Gpt2.Describe, Gpt2.Defaults),
        ["gpt_neox"] = new(GptNeoX.Describe, GptNeoX.Defaults),
        ["gpt_oss"] = new(GptOss.Describe, GptOss.Defaults),
        ["granite"] = new(Granite.Describe, Granite.Defaults),
        ["llama"] = new(Llama.Describe, Llama.Defaults),
        ["mistral"] = new(Llama.DescribeMistral, Llama.MistralDefaults),
        ["mixtral"] = new(Mixtral.Describe, Mixtral.Defaults),
        ["olmo2"] = new(Olmo2.Describe, Olmo2.Defaults),
        ["opt"] = new(Opt.Describe, Opt.Defaults),
        ["phi3"] = new(Phi3.Describe, Phi3.Defaults),
        ["qwen2"] = new(Qwen.Describe2, Qwen.Defaults2),
        ["qwen3"] = new(Qwen.Describe3, Qwen.Defaults3),
        ["qwen3_moe"] = new(Qwen.Describe3Mixture, Qwen.Defaults3Mixture),
        ["smollm3"] = new(SmolLm3.Describe, SmolLm3.Defaults),
        ["stablelm"] = new(StableLm.Describe, StableLm.Defaults),
        ["starcoder2"] = new(Starcoder2.Describe, Starcoder2.Defaults),
    };

    /// <summary>Every <c>model_type</c> that is known, sorted.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Known.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The model that a config describes.</summary>
    /// <param name="file">Path of the config, for messages.</param>
    /// <param name="contextLength">Tokens of the longest context.</param>
    /// <exception cref="UserErrorException">MODEL-UNSUP: the family, or something about the model, is not computed here.</exception>
    /// <exception cref="CheckpointFormatException">CFG-SCHEMA: a member is missing or has a wrong type.</exception>
    public static DecoderForm Describe(ModelConfig config, string file, int contextLength)
    {
        if (config.ModelType is { } type && Known.TryGetValue(type, out Family? family))
        {
            var reader = new ConfigReader(config, file, contextLength, JsonDocument.Parse(family.Defaults).RootElement);
            reader.Require("is_causal", expected: true, absent: true);
            if (reader.HasObject("per_layer_config")) throw reader.Unsupported("per_layer_config", "of its own for some layers");
            return family.Describe(reader);
        }

        throw new UserErrorException(
            ExitCode.InputUnsupported, "MODEL-UNSUP",
            config.ModelType is { } name ? $"no forward pass for model_type {DisplayText.Escape(name)}" : "config.json has no model_type")
        {
            File = file,
            Facts = [("known", string.Join(", ", Names))],
            Action = "compare the weights with verify and diff, which need no forward pass",
        };
    }

    /// <param name="Describe">Makes the description of a config.</param>
    /// <param name="Defaults">A JSON object: what the family's class in transformers takes for members that a config does not have.</param>
    private sealed record Family(Func<ConfigReader, DecoderForm> Describe, string Defaults);
}
