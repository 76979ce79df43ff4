using Bnb.Engine.DataTypes;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Splitting;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;
using Bnb.Formats.ScaledFloats;
using Bnb.Formats.Tensors;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Verifying;

/// <summary>One weight to verify and the source it should have come from.</summary>
/// <param name="Source">The source tensor with the quantization that the weight's form claims.</param>
internal sealed record LayerPlan(QuantizedWeight Weight, TensorPlan Source);

/// <summary>
/// What will be compared with what, and everything that headers, quant_states and config already tell.
/// </summary>
/// <param name="Layers">Weights to verify, after --include, --exclude and --sample.</param>
/// <param name="Plain">Unquantized tensors and their counterparts in the source.</param>
internal sealed record VerifyPlan(
    QuantizedCheckpoint Quantized,
    Checkpoint Source,
    IReadOnlyList<LayerPlan> Layers,
    IReadOnlyList<(CheckpointTensor Quantized, TensorPlan Source)> Plain,
    IReadOnlyList<Finding> Findings)
{
    // A panel is at least one row, in arrays of up to 8 bytes a value.
    private const long LongestRow = 1 << 27;

    public static VerifyPlan Make(VerifyRequest request)
    {
        UnfinishedOutput.Refuse(request.QuantizedPath);
        UnfinishedOutput.Refuse(request.SourcePath);
        QuantizedCheckpoint quantized = DataTypeCatalog.Read(Checkpoint.Open(request.QuantizedPath, requireConfig: false, followSymlinks: true));
        OutputManifest? manifest = OutputManifest.FindAround(quantized.Source.Folder);
        string? variant = manifest?.Variant is { } read && Checkpoint.HasVariant(request.SourcePath, read) ? read : null;
        Checkpoint source = Checkpoint.Open(request.SourcePath, requireConfig: false, followSymlinks: true, variant);
        if (quantized.Weights.Count == 0 && !quantized.Problems.Any(problem => problem.IsFatal))
        {
            throw Diagnosis.NotQuantized(request, quantized.Source, source);
        }

        ModelFacts facts = ModelFactsReader.Read(source.Config ?? quantized.Source.Config);
        var layout = WeightLayout.Of(
            source.Config ?? quantized.Source.Config,
            source.Tensors.Where(static tensor => tensor.Shape.Rank >= 2).Select(static tensor => tensor.Name),
            [.. source.Tensors.Select(static tensor => new PolicyTensor(tensor.Name, tensor.Shape.Dimensions, true, tensor.ByteCount))],
            OutputManifest.RecordsConv1D(quantized.Source.Folder));
        Dictionary<string, TensorPlan> originals = Originals(source, facts, quantized).ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        var findings = new List<Finding>();
        findings.AddRange(quantized.Problems.Select(problem =>
            new Finding(problem.Rule, $"{DisplayText.Escape(problem.Tensor)}: {problem.Text}", problem.IsFatal)));

        ScaleRule? rule = request.Scale ?? manifest?.Scale;
        ElementType? cast = manifest?.CastTo;
        Importance? importance = request.ImportancePath is { } path ? Importance.Open(path) : null;
        var layers = new List<LayerPlan>();
        foreach (QuantizedWeight weight in quantized.Weights)
        {
            if (!DataTypeCatalog.IsWritten(weight))
            {
                findings.Add(new Finding(
                    "structure", $"{DisplayText.Escape(weight.Name)} cannot be verified: {weight.Type} is read and not made here", Fails: true));
                continue;
            }

            if (Match(weight, originals, layout, findings, rule, importance, cast) is { } layer) layers.Add(layer);
        }

        if (OtherScales(layers) is { } note) findings.Add(note);
        var plain = new List<(CheckpointTensor, TensorPlan)>();
        var renamed = new HashSet<string>(StringComparer.Ordinal);
        foreach (CheckpointTensor tensor in quantized.Plain)
        {
            string name = FieldNames.InSource(tensor.Name, originals.ContainsKey);
            if (originals.TryGetValue(name, out TensorPlan? original))
            {
                // What a loader keeps in float32 was not cast.
                plain.Add((tensor, cast is { } type && tensor.DType == FloatTypes.Stored(type) ? Cast.To(type, original) : original));
                renamed.Add(name);
            }
            else if (CacheScales.IsName(tensor.Name))
            {
                findings.Add(new Finding("structure", $"{DisplayText.Escape(tensor.Name)} is the scale of a quantized cache, not a weight: not in the source", Fails: false));
            }
            else findings.Add(new Finding("structure", $"{DisplayText.Escape(tensor.Name)} is not in the source", Fails: true));
        }

        var present = quantized.Source.Tensors.Select(tensor => tensor.Name)
            .Concat(quantized.Weights.Select(weight => weight.Name))
            .Concat(renamed)
            .ToHashSet(StringComparer.Ordinal);
        var tied = new TiedTensors(facts, source.Config ?? quantized.Source.Config, originals.Values.Where(static tensor => tensor.Shape.Rank >= 2).Select(static tensor => tensor.Name));
        foreach (string missing in originals.Keys.Where(name => !present.Contains(name)).Order(StringComparer.Ordinal))
            findings.Add(Missing(originals[missing], tied));
        findings.AddRange(ConfigAudit.Run(quantized, facts));
        int matched = quantized.Weights.Count(weight => originals.TryGetValue(weight.Name, out TensorPlan? original) && original.Shape.ElementCount == weight.ValueCount);
        findings.AddRange(Diagnosis.DifferentModel(quantized.Weights.Count, matched));
        return new VerifyPlan(quantized, source, LayerSelection.Apply(layers, request), plain, findings);
    }

    /// <summary>The source's tensors; stacks of experts as the matrices that they were divided into, where the output has these.</summary>
    private static IReadOnlyList<TensorPlan> Originals(Checkpoint source, ModelFacts facts, QuantizedCheckpoint quantized)
    {
        IReadOnlyList<TensorPlan> dense = DenseTensors.Of(source, OutputManifest.RecordsConv1D(source.Folder));
        var names = quantized.Weights.Select(weight => weight.Name).Concat(quantized.Plain.Select(tensor => tensor.Name)).ToHashSet(StringComparer.Ordinal);
        return ExpertSplit.IfAny(dense, facts, names.Contains)?.Tensors ?? dense;
    }

    private static Finding Missing(TensorPlan tensor, TiedTensors tied)
    {
        string? harmless = FieldNames.IsDerivedBuffer(tensor.Name, tensor.Shape.Rank) ? "a buffer that the model makes itself"
            : tied.MayBeAbsent(tensor.Name) ? "tied to the embedding"
            : null;
        return new Finding("structure", $"{DisplayText.Escape(tensor.Name)} of the source is missing{(harmless is null ? "" : ": " + harmless)}", Fails: harmless is null);
    }

    private static LayerPlan? Match(
        QuantizedWeight weight, Dictionary<string, TensorPlan> originals, WeightLayout layout, List<Finding> findings, ScaleRule? rule, Importance? importance,
        ElementType? cast)
    {
        string name = DisplayText.Escape(weight.Name);
        if (!originals.TryGetValue(weight.Name, out TensorPlan? original))
        {
            findings.Add(new Finding("structure", $"{name} is not in the source", Fails: true));
            return null;
        }

        if (original.DType is not (DType.F16 or DType.BF16 or DType.F32 or DType.F64) || original.Shape.Rank != 2)
        {
            findings.Add(new Finding("structure", $"{name} is {original.DType.Name()} {original.Shape} in the source, not a float matrix", Fails: true));
            return null;
        }

        if (weight.Columns > LongestRow)
        {
            findings.Add(new Finding("structure", $"{name} cannot be verified: its rows of {weight.Columns} values are too long to multiply", Fails: true));
            return null;
        }

        (long first, long second) = (original.Shape.Dimensions[0], original.Shape.Dimensions[1]);
        bool conv1D = layout.WasConv1D(weight);
        bool transposed = (first, second) == (weight.Columns, weight.Rows) && ((first, second) != (weight.Rows, weight.Columns) || conv1D);
        if (!transposed && (first, second) != (weight.Rows, weight.Columns))
        {
            findings.Add(new Finding("structure", $"{name} is {original.Shape} in the source, [{weight.Rows}, {weight.Columns}] here", Fails: true));
            return null;
        }

        if (transposed && !conv1D)
        {
            findings.Add(new Finding(
                "structure", $"{name} is stored transposed: {original.Shape} in the source, [{weight.Rows}, {weight.Columns}] here, and this model has no Conv1D", Fails: true));
            // The others have a transposed form to compare with.
            if (weight is Int4Weight or ScaledFloatWeight) return null;
        }

        if (cast is { } type) original = Cast.To(type, original);
        if (original.Input is MergedInput rounded) original = original with { Input = rounded with { Transpose = transposed } };
        Quantization quantization = DataTypeCatalog.RecipeOf(weight).For(original.DType, weight.Rows, weight.Columns, transposed) with
        {
            // The mean of absmax is 0 for nothing but zeros, and a search needs no other offset.
            Scale = rule ?? (weight is BnbWeight { IsNested: true, State.NestedOffset: 0f } ? ScaleRule.Search : ScaleRule.Absmax),
            Importance = importance?.For(weight.Name, weight.Columns),
        };
        if (weight is Int4Weight groups && Unverifiable(groups, quantization) is { } reason)
        {
            findings.Add(new Finding("structure", $"{name} cannot be verified: {reason}", Fails: true));
            return null;
        }

        var decision = new TensorDecision(
            new PolicyTensor(original.Name, original.Shape.Dimensions, true, original.SourceBytes), TensorAction.Copy, "verify", "compared", false, transposed);
        return new LayerPlan(weight, original with { Decision = decision, Quantization = quantization });
    }

    /// <summary>A search is made for three group sizes and without zero points.</summary>
    private static string? Unverifiable(Int4Weight weight, Quantization quantization)
    {
        if (quantization.Scale != ScaleRule.Search) return null;
        if (!QuantizeGroups4.IsGroupSize((int)weight.GroupSize))
            return $"its groups are of {weight.GroupSize} values, and scales are searched for 32, 64 and 128";
        return weight.IsSymmetric ? null : "searched scales have no zero points";
    }

    /// <summary>A note where scales are of another dtype than the source's weights, of which the dtype of the arithmetic is not known.</summary>
    private static Finding? OtherScales(IReadOnlyList<LayerPlan> layers)
    {
        List<LayerPlan> others =
        [
            .. layers.Where(static layer => layer is { Weight: Int4Weight weight, Source.Quantization: { Scale: ScaleRule.Absmax } quantization }
                && weight.Scale.DType != FloatTypes.Stored(quantization.ElementType)),
        ];
        if (others.Count == 0) return null;
        DType scales = ((Int4Weight)others[0].Weight).Scale.DType;
        return new Finding(
            "structure",
            string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"{others.Count} layers have {scales.Name()} scales, and the source's weights are {others[0].Source.DType.Name()}: compared with what those give cast to the dtype of the scales, or with scales that were rounded to it. First {DisplayText.Escape(others[0].Weight.Name)}"),
            Fails: false);
    }
}
