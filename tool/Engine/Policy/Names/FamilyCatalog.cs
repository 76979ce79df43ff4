using System.Collections.Frozen;

namespace Bnb.Engine.Policy.Names;

/// <summary>What is known about model families, by <c>model_type</c> and by the names their modules carry.</summary>
internal static class FamilyCatalog
{
    /// <summary>Families whose feed-forward <c>wo</c> overflows in half precision; their own loaders keep it in float.</summary>
    public static readonly FrozenSet<string> KeepWo = FrozenSet.Create(
        StringComparer.Ordinal, "t5", "mt5", "umt5", "longt5", "udop", "pop2piano", "switch_transformers");

    /// <summary>Families whose query transformer is kept in float by its own loader.</summary>
    public static readonly FrozenSet<string> KeepQformer = FrozenSet.Create(
        StringComparer.Ordinal, "blip-2", "blip2", "instructblip", "instructblipvideo");

    /// <summary>Attention and state-space hybrids; their kernels read the mixer's weights as plain matrices.</summary>
    public static readonly FrozenSet<string> StateSpaceHybrids = FrozenSet.Create(
        StringComparer.Ordinal, "jamba", "bamba", "zamba", "zamba2", "nemotron_h", "falcon_h1", "granitemoehybrid");

    /// <summary>Pure first-generation Mamba: the scan multiplies with these two weights directly.</summary>
    public static readonly FrozenSet<string> PureMamba = FrozenSet.Create(StringComparer.Ordinal, "mamba", "falcon_mamba");

    /// <summary>Families that use transformers' <c>Conv1D</c>, which stores [in, out].</summary>
    public static readonly FrozenSet<string> Conv1D = FrozenSet.Create(
        StringComparer.Ordinal, "gpt2", "openai-gpt", "imagegpt", "decision_transformer", "clvp", "jais");

    /// <summary>Leaf names of <c>Conv1D</c> modules in those families.</summary>
    public static readonly FrozenSet<string> Conv1DLeaves = FrozenSet.Create(
        StringComparer.Ordinal, "c_attn", "c_proj", "c_fc", "c_fc2", "q_attn");

    /// <summary>Name components of vision and audio towers and of what joins them to the text model.</summary>
    public static readonly FrozenSet<string> Towers = FrozenSet.Create(
        StringComparer.Ordinal,
        "vision_tower", "vision_model", "visual", "vision_encoder", "image_encoder", "audio_tower", "audio_encoder",
        "speech_encoder", "multi_modal_projector", "mm_projector", "modality_projection", "connector", "merger", "aligner",
        "embed_vision", "embed_audio", "vision_embedder", "resampler", "perceiver_resampler", "qformer", "img_projection");

    /// <summary>Name components of output heads, wherever they stand in the path.</summary>
    public static readonly FrozenSet<string> Heads = FrozenSet.Create(
        StringComparer.Ordinal,
        "lm_head", "lm_heads", "codec_head", "score", "classifier", "pre_classifier", "qa_outputs", "embed_out",
        "output_layer", "vocab_projector", "generator_lm_head", "lm_loss", "v_head", "value_head", "reward_head", "rm_head",
        "regression_layer", "gating", "seq_relationship", "text_head", "mel_head", "logits_dense");

    /// <summary>Heads by leaf name.</summary>
    public static readonly FrozenSet<string> HeadLeaves = FrozenSet.Create(
        StringComparer.Ordinal, "text_projection", "visual_projection");

    /// <summary>Heads only at the top of the model: inside layers the same words name ordinary linear layers.</summary>
    public static readonly FrozenSet<string> TopLevelHeads = FrozenSet.Create(
        StringComparer.Ordinal, "output", "head", "proj_out", "output_projection", "output_proj", "out_proj");

    /// <summary>Leaf names of expert routers.</summary>
    public static readonly FrozenSet<string> RouterLeaves = FrozenSet.Create(
        StringComparer.Ordinal, "gate", "router", "wg", "shared_expert_gate", "router_proj");

    /// <summary>Leaf names below a component <c>router</c> or <c>gate</c> that make it a router.</summary>
    public static readonly FrozenSet<string> RouterInnerLeaves = FrozenSet.Create(
        StringComparer.Ordinal, "layer", "classifier", "linear", "wg", "proj");

    /// <summary>First and last layers of diffusion transformers: small, and the picture shows their error.</summary>
    public static readonly FrozenSet<string> DiffusionEnds = FrozenSet.Create(
        StringComparer.Ordinal, "x_embedder", "context_embedder", "time_text_embed", "norm_out", "proj_out");

    /// <summary>Heads that loaders create fresh for classification and question answering.</summary>
    public static readonly IReadOnlyList<string> TaskHeads = ["score", "classifier", "qa_outputs"];

    /// <summary>
    /// Head modules that exist in the model although a tied checkpoint may lack their tensor. An explicit skip list turns
    /// the loader's own detection of tied heads off, so they must be listed unseen.
    /// </summary>
    public static IEnumerable<string> UnseenHeads(ModelFacts facts) => facts.ModelType switch
    {
        "whisper" => ["proj_out"],
        "gpt_neox" or "gpt_neox_japanese" => ["embed_out"],
        "bert" or "deberta" or "mobilebert" or "megatron-bert" or "roformer" or "squeezebert" => ["cls.predictions.decoder"],
        "albert" => ["predictions.decoder"],
        "distilbert" => ["vocab_projector"],
        "electra" => ["generator_lm_head"],
        "xlnet" => ["lm_loss"],
        "internlm2" => ["output"],
        "chatglm" => ["output_layer"],
        _ => [],
    };

    /// <summary>The name under which task models hold the bare model; checkpoints exist with and without it.</summary>
    public static string BaseModelPrefix(string? modelType) => modelType switch
    {
        "gpt2" or "openai-gpt" or "imagegpt" or "falcon" or "bloom" or "mpt" or "gptj" or "gpt_neo" or "gpt_bigcode"
            or "codegen" or "t5" or "mt5" or "umt5" or "xlnet" => "transformer",
        "bert" or "roberta" or "distilbert" or "electra" or "albert" or "deberta" or "gpt_neox" or "roformer" => modelType,
        "xlm-roberta" or "camembert" => "roberta",
        "deberta-v2" => "deberta",
        "mamba" or "mamba2" or "falcon_mamba" or "nemotron_h" => "backbone",
        _ => "model",
    };

    /// <summary>Whether the model has a vision or audio part; old configs of some families do not nest a text config.</summary>
    public static bool IsMultimodal(ModelFacts facts) =>
        facts.IsMultimodal
        || facts.ModelType is "qwen2_vl" or "qwen2_5_vl" or "qwen3_vl" or "llava" or "internvl_chat" or "minicpmv" or "phi3_v";

    /// <summary>A diffusion transformer or U-Net in diffusers' layout.</summary>
    public static bool IsDiffusion(ModelFacts facts) =>
        facts.Architectures.Any(static name =>
            name.Contains("Transformer2D", StringComparison.Ordinal)
            || name.Contains("Transformer3D", StringComparison.Ordinal)
            || name.StartsWith("UNet", StringComparison.Ordinal));
}
