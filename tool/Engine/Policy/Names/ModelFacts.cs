using Bnb.Engine.Architectures;

namespace Bnb.Engine.Policy.Names;

/// <summary>What <c>config.json</c> says about the model, as far as the rules ask.</summary>
/// <param name="ModelType"><c>model_type</c>; null when the config has none (diffusers, bare folders).</param>
/// <param name="Architectures"><c>architectures</c>, or diffusers' <c>_class_name</c>.</param>
/// <param name="IsMultimodal">The config has a vision or audio part beside a text part.</param>
/// <param name="TieWordEmbeddings"><c>tie_word_embeddings</c>: the output head shares the embedding's storage.</param>
/// <param name="DecoderModelType"><c>decoder.model_type</c> of encoder-decoder composites.</param>
/// <param name="SubModelTypes"><c>model_type</c> of every other nested config.</param>
internal sealed record ModelFacts(
    string? ModelType,
    IReadOnlyList<string> Architectures,
    bool IsMultimodal,
    bool TieWordEmbeddings,
    string? DecoderModelType,
    IReadOnlyList<string> SubModelTypes)
{
    private readonly ModelIdentity? _identity;

    /// <summary>What the config calls the model, by which the atlas is asked.</summary>
    public ModelIdentity Identity
    {
        get => _identity ?? new ModelIdentity(ModelType, null, Architectures, []);
        init => _identity = value;
    }
}
