using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Verifying;

/// <summary>
/// Tensors that share another's storage in their class, so that a saver writes one of the two: heads tied to an embedding, and
/// the tables of an encoder and a decoder that are one.
/// </summary>
internal sealed class TiedTensors
{
    private readonly KnownModel _model;
    private readonly ModelConfig? _config;

    /// <summary>Looks the class up.</summary>
    /// <param name="names">Of the source's tensors of two dimensions and more.</param>
    public TiedTensors(ModelFacts facts, ModelConfig? config, IEnumerable<string> names)
    {
        _model = ModelFinder.Find(Atlas.Embedded, facts.Identity, names);
        _config = config;
    }

    /// <summary>Whether the tensor may be absent: its module is tied in the class, or it is a head and the config says so.</summary>
    public bool MayBeAbsent(string tensor)
    {
        if (_config?.TieWordEmbeddings == true && FieldNames.IsHead(tensor)) return true;
        bool isUntied = _config?.Has("tie_word_embeddings") == true && !_config.TieWordEmbeddings;
        int dot = tensor.LastIndexOf('.');
        if (dot < 0 || tensor[(dot + 1)..] is not ("weight" or "bias")) return false;
        string module = tensor[..dot];
        // Untied are a model's heads; the tables of its halves stay one.
        return (!isUntied || module.EndsWith("embed_tokens", StringComparison.Ordinal)) && _model.Parts.Any(part => IsTied(part, module));
    }

    private static bool IsTied(KnownPart part, string module) => part.OwnName(module) is { } own
        && NumberedName.Pattern(own) is var pattern
        && part.Class.TiedModules.Any(tied => tied.Module == pattern);
}
