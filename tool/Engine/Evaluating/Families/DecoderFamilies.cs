using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>The families whose forward pass is known, by <c>model_type</c>. Each equals transformers' class of the same name in
/// float32, which tests prove with vectors made by it.</summary>
internal static class DecoderFamilies
{
    private static readonly Dictionary<string, Family> Known = new(StringComparer.Ordinal)
    {
        ["cohere2"] = new(Cohere2.Describe),
        ["deepseek_v3"] = new(DeepseekV3.Describe),
        ["gemma2"] = new(Gemma.Describe2, Activation.GeluTanh),
        ["gemma3_text"] = new(Gemma.Describe3, Activation.GeluTanh),
        ["glm4"] = new(Glm4.Describe),
        ["gpt2"] = new(Gpt2.Describe, Activation.GeluTanh),
        ["gpt_neox"] = new(GptNeoX.Describe, Activation.Gelu),
        ["gpt_oss"] = new(GptOss.Describe),
        ["granite"] = new(Granite.Describe),
        ["llama"] = new(Llama.Describe),
        ["mistral"] = new(Llama.Describe),
        ["mixtral"] = new(Mixtral.Describe),
        ["olmo2"] = new(Olmo2.Describe),
        ["opt"] = new(Opt.Describe, Activation.Relu),
        ["phi3"] = new(Phi3.Describe),
        ["qwen2"] = new(Qwen.Describe2),
        ["qwen3"] = new(Qwen.Describe3),
        ["qwen3_moe"] = new(Qwen.Describe3Mixture),
        ["smollm3"] = new(SmolLm3.Describe),
        ["stablelm"] = new(StableLm.Describe),
        ["starcoder2"] = new(Starcoder2.Describe, Activation.GeluTanh),
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
            return family.Describe(new ConfigReader(config, file, contextLength) { DefaultActivation = family.Activation });
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
    /// <param name="Activation">Of configs that do not name one.</param>
    private sealed record Family(Func<ConfigReader, DecoderForm> Describe, Activation Activation = Activation.Silu);
}
