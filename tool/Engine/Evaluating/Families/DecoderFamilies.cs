using Bnb.Engine.Errors;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>The families whose forward pass is known, by <c>model_type</c>. Each equals transformers' class of the same name in
/// float32, which tests prove with vectors made by it.</summary>
internal static class DecoderFamilies
{
    private static readonly Dictionary<string, Func<ConfigReader, DecoderForm>> Known = new(StringComparer.Ordinal)
    {
        ["cohere2"] = Cohere2.Describe,
        ["deepseek_v3"] = DeepseekV3.Describe,
        ["gemma2"] = Gemma.Describe2,
        ["gemma3_text"] = Gemma.Describe3,
        ["glm4"] = Glm4.Describe,
        ["gpt2"] = Gpt2.Describe,
        ["gpt_neox"] = GptNeoX.Describe,
        ["gpt_oss"] = GptOss.Describe,
        ["granite"] = Granite.Describe,
        ["llama"] = Llama.Describe,
        ["mistral"] = Llama.Describe,
        ["mixtral"] = Mixtral.Describe,
        ["olmo2"] = Olmo2.Describe,
        ["opt"] = Opt.Describe,
        ["phi3"] = Phi3.Describe,
        ["qwen2"] = Qwen.Describe2,
        ["qwen3"] = Qwen.Describe3,
        ["qwen3_moe"] = Qwen.Describe3Mixture,
        ["smollm3"] = SmolLm3.Describe,
        ["stablelm"] = StableLm.Describe,
        ["starcoder2"] = Starcoder2.Describe,
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
        if (config.ModelType is { } type && Known.TryGetValue(type, out Func<ConfigReader, DecoderForm>? describe))
            return describe(new ConfigReader(config, file, contextLength));
        throw new UserErrorException(
            ExitCode.InputUnsupported, "MODEL-UNSUP",
            config.ModelType is { } name ? $"no forward pass for model_type {DisplayText.Escape(name)}" : "config.json has no model_type")
        {
            File = file,
            Facts = [("known", string.Join(", ", Names))],
            Action = "compare the weights with verify and diff, which need no forward pass",
        };
    }
}
