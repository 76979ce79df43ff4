using System.Globalization;
using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>Facts about the whole checkpoint that a rule about one module needs.</summary>
internal sealed class RuleContext
{
    private const string PackedProjection = ".in_proj_weight";
    private readonly HashSet<string> _types;
    private readonly HashSet<string> _attentionParents = new(StringComparer.Ordinal);
    private readonly HashSet<string> _blocksWithExperts = new(StringComparer.Ordinal);
    private readonly HashSet<string> _weights = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<string, string>> _reasons = new(StringComparer.Ordinal);
    private readonly bool _innerProjOut;

    /// <summary>Scans the names once.</summary>
    public RuleContext(IReadOnlyList<PolicyTensor> tensors, ModelFacts facts, PolicyOptions options)
    {
        Facts = facts;
        Options = options;
        _types = new HashSet<string>(facts.SubModelTypes, StringComparer.Ordinal);
        if (facts.ModelType is not null) _types.Add(facts.ModelType);
        if (facts.DecoderModelType is not null) _types.Add(facts.DecoderModelType);
        ExcludesTowers = FamilyCatalog.IsMultimodal(facts) && !options.QuantizeVision;
        IsDiffusion = FamilyCatalog.IsDiffusion(facts);
        IsStateSpaceHybrid = IsFamily(FamilyCatalog.StateSpaceHybrids);
        IsPureMamba = IsFamily(FamilyCatalog.PureMamba);
        HasConv1D = Conv1DLayout.IsUsed(tensors, IsFamily(FamilyCatalog.Conv1D));
        MayHaveConv1D = Conv1DLayout.IsUsed(tensors, familyUsesIt: true);
        Known = ModelFinder.Find(
            Atlas.Embedded, facts.Identity, tensors.Where(static tensor => tensor.Shape.Count >= 2).Select(static tensor => tensor.Name));
        HashSet<string>.AlternateLookup<ReadOnlySpan<char>> blocks = _blocksWithExperts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (PolicyTensor tensor in tensors)
        {
            _weights.Add(tensor.Name);
            int experts = tensor.Name.IndexOf(".experts.", StringComparison.Ordinal);
            if (experts >= 0) blocks.Add(tensor.Name.AsSpan(0, experts));
            if (tensor.Name.EndsWith(PackedProjection, StringComparison.Ordinal))
                _attentionParents.Add(tensor.Name[..^PackedProjection.Length]);
            _innerProjOut |= tensor.Name.EndsWith(".proj_out.weight", StringComparison.Ordinal) && tensor.Shape.Count == 2;
        }
    }

    /// <summary>The model.</summary>
    public ModelFacts Facts { get; }

    /// <summary>What the atlas knows about the model.</summary>
    public KnownModel Known { get; }

    /// <summary>What the classes keep in float32.</summary>
    public Float32Lists KeptInFloat32 { get; } = new();

    /// <summary>The user's choices.</summary>
    public PolicyOptions Options { get; }

    /// <summary>Towers and projectors stay in their source type.</summary>
    public bool ExcludesTowers { get; }

    /// <summary>A diffusers model.</summary>
    public bool IsDiffusion { get; }

    /// <summary>A family of <see cref="FamilyCatalog.StateSpaceHybrids"/>: asked of every tensor, so it is known beforehand.</summary>
    public bool IsStateSpaceHybrid { get; }

    /// <summary>One of <see cref="FamilyCatalog.PureMamba"/>.</summary>
    public bool IsPureMamba { get; }

    /// <summary>Weights named like Conv1D are stored [in, out].</summary>
    public bool HasConv1D { get; }

    /// <summary>No bias says that weights named like Conv1D are stored [out, in].</summary>
    public bool MayHaveConv1D { get; }

    /// <summary>
    /// A top-level <c>proj_out</c> can only be skipped together with every other module of that leaf name. Flux has large
    /// ones inside its blocks, so there the outer one is quantized like stock diffusers does.
    /// </summary>
    public bool CanSkipProjOut => !_innerProjOut;

    /// <summary>Whether the model, or a model inside it, is of one of these types.</summary>
    public bool IsFamily(IReadOnlySet<string> types) => _types.Overlaps(types);

    /// <summary>Whether the module is an <c>nn.MultiheadAttention</c>, which packs q, k and v into one parameter.</summary>
    public bool IsMultiheadAttention(string path) => _attentionParents.Contains(path);

    /// <summary>Whether the module has neighbours that make it the gate of a gated feed-forward and so no router.</summary>
    public bool IsGateOfFeedForward(ModuleName module) =>
        (_weights.Contains(module.Parent + ".up.weight") || _weights.Contains(module.Parent + ".up_proj.weight"))
        && !_weights.Contains(module.Parent + ".gate_proj.weight") && !_blocksWithExperts.Contains(module.Parent);

    /// <summary>Says what a layer is of which class; one text for all layers of which it is true.</summary>
    public string Reason(string layer, ModelClass model)
    {
        if (!_reasons.TryGetValue(model.Name, out Dictionary<string, string>? reasons))
            _reasons[model.Name] = reasons = new Dictionary<string, string>(StringComparer.Ordinal);
        if (!reasons.TryGetValue(layer, out string? reason)) reasons[layer] = reason = $"{layer} of {model.Name}";
        return reason;
    }

    /// <summary>Dimensions as text, for reasons.</summary>
    public static string Describe(IReadOnlyList<long> shape) =>
        "[" + string.Join(", ", shape.Take(8).Select(static size => size.ToString(CultureInfo.InvariantCulture))) + "]";
}
