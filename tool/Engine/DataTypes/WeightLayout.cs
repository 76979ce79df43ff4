using Bnb.Engine.Architectures;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.ScaledFloats;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.DataTypes;

/// <summary>How the dense forms of a model's quantized weights are stored: one answer for all commands.</summary>
internal sealed class WeightLayout
{
    private readonly ModelFacts _facts;
    private readonly KnownModel _model;
    private readonly bool _isConv1DOriginal;

    private WeightLayout(ModelFacts facts, KnownModel model, bool isConv1DOriginal)
    {
        _facts = facts;
        _model = model;
        _isConv1DOriginal = isConv1DOriginal;
    }

    /// <summary>Reads the model's class from its config and the names of its weights.</summary>
    /// <param name="config">The config; null when there is none.</param>
    /// <param name="weights">Names of the tensors of two dimensions and more, packed ones by the weight's name.</param>
    /// <param name="originals">The unquantized checkpoint where it is at hand: its biases tell the layout of unknown classes.</param>
    /// <param name="isRecorded">Whoever quantized it had the unquantized one and found that it uses Conv1D.</param>
    public static WeightLayout Of(ModelConfig? config, IEnumerable<string> weights, IReadOnlyList<PolicyTensor>? originals = null, bool isRecorded = false)
    {
        ModelFacts facts = ModelFactsReader.Read(config);
        return new WeightLayout(
            facts,
            ModelFinder.Find(Atlas.Embedded, facts.Identity, weights),
            isRecorded || (originals is not null && Conv1DLayout.IsUsed(originals, familyUsesIt: false)));
    }

    /// <summary>Whether nothing but its name, which linear layers have too, says that it may have been a Conv1D: the class is unknown, and so
    /// is the unquantized checkpoint.</summary>
    public bool MayHaveBeenConv1D(QuantizedWeight weight) =>
        !WasConv1D(weight) && weight is not (Int4Weight or ScaledFloatWeight) && _model.Find(weight.Name) is null
        && Conv1DLayout.WasUsed(weight.Name, _facts, _model, isOriginal: true);

    /// <summary>Whether it was a Conv1D, [in, out]. compressed-tensors packs modules of class Linear only, whatever their names, and
    /// small floats lie as the dense weight did.</summary>
    public bool WasConv1D(QuantizedWeight weight) =>
        weight is not (Int4Weight or ScaledFloatWeight) && Conv1DLayout.WasUsed(weight.Name, _facts, _model, _isConv1DOriginal);
}
