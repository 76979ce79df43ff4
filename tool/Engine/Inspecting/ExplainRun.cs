using Bnb.Engine.Architectures;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Splitting;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Inspecting;

/// <summary>Says for each tensor of a checkpoint, quantized or not, what <c>quantize</c> would do with it and why.</summary>
internal static class ExplainRun
{
    private const string PatternName = "PATTERN";

    /// <param name="path">Folder or file of a model, or the folder of a pipeline.</param>
    /// <param name="wanted">Tensors to tell about, a pattern; null for all.</param>
    /// <param name="variant">Which weights are read; null for the plain files.</param>
    /// <param name="recipe">The form of the output that the decisions are for.</param>
    /// <param name="experts">What becomes of experts, as asked for; null for nothing.</param>
    /// <param name="targets">Loaders that are to read the output; with split there must be some.</param>
    /// <returns>One for the model, or for each component that has tensors to tell about.</returns>
    /// <exception cref="PolicyException">No list of exceptions fits the names; the pattern matches nothing, or is none.</exception>
    public static IReadOnlyList<Explanation> Execute(
        string path, string? wanted, string? variant, QuantizeRecipe recipe, ExpertChoice? experts, IReadOnlyList<LoadTarget> targets)
    {
        if (wanted is not null) _ = NamePattern.Of(wanted, PatternName);
        List<Explanation> models = [.. InspectRun.ModelsIn(path, variant).Select(model => Explain(model, recipe, experts, targets))];
        if (wanted is null) return models;
        List<Explanation> found = [.. models.Select(model => Only(wanted, model)).Where(static model => model.Decisions.Count > 0)];
        return found.Count > 0 ? found : throw UnmatchedPattern.Error(
            PatternName, wanted, "the pattern matches no tensor of the checkpoint", models.SelectMany(static model => model.Decisions).Select(static decision => decision.Tensor.Name));
    }

    private static Explanation Only(string wanted, Explanation model)
    {
        var pattern = NamePattern.Of(wanted, PatternName, model.Component is { } component ? component + "/" : "");
        return model with { Decisions = [.. model.Decisions.Where(decision => pattern.IsMatchOfTensor(decision.Tensor.Name))] };
    }

    private static Explanation Explain(InspectedModel model, QuantizeRecipe recipe, ExpertChoice? asked, IReadOnlyList<LoadTarget> wanted)
    {
        Checkpoint checkpoint = model.Checkpoint;
        (IReadOnlyList<LoadTarget> targets, ExpertChoice? own) = model.Component is null ? (wanted, asked) : LoadTargets.OfComponent(checkpoint, wanted, asked);
        ExpertChoice experts = LoadTargets.Experts(own, targets, recipe);
        ModelFacts facts = ModelFactsReader.Read(checkpoint.Config);
        IReadOnlyList<PolicyTensor> tensors = experts == ExpertChoice.Split ? Split(checkpoint, facts, targets) : AsTheyAre(checkpoint);
        var options = new PolicyOptions(recipe.Blocksize, false, false, [], recipe.Target) { Experts = experts };
        PolicyResult result = QuantizationPolicy.Decide(tensors, facts, options);
        return new Explanation(result.Decisions, result.SkipModules, KnownTo(result.Known)) { Component = model.Component, IsUsual = model.IsUsual };
    }

    private static IReadOnlyList<PolicyTensor> AsTheyAre(Checkpoint checkpoint)
    {
        QuantizedCheckpoint weights = DataTypeCatalog.Read(checkpoint);
        return
        [
            .. weights.Plain.Concat(weights.Unread).Select(static tensor => new PolicyTensor(
                tensor.Name, tensor.Shape.Dimensions, tensor.DType is DType.F16 or DType.BF16 or DType.F32 or DType.F64, tensor.ByteCount)),
            .. weights.Weights.Select(static weight => new PolicyTensor(weight.Name, [weight.Rows, weight.Columns], true, 0)),
        ];
    }

    private static IReadOnlyList<PolicyTensor> Split(Checkpoint checkpoint, ModelFacts facts, IReadOnlyList<LoadTarget> targets) =>
    [
        .. SplitTargets.Split(targets, DenseTensors.Of(checkpoint, OutputManifest.RecordsConv1D(checkpoint.Folder)), facts).Select(static tensor => new PolicyTensor(
            tensor.Name, tensor.Shape.Dimensions, DenseReader.CanRead(tensor.DType), tensor.SourceBytes) { IsSplit = SplitTargets.StackOf(tensor) is not null }),
    ];

    /// <summary>The libraries that have the model, as people call them; empty when none is known to.</summary>
    public static IReadOnlyList<string> KnownTo(KnownModel model)
    {
        List<string> names = [];
        foreach (Loader loader in model.Parts.SelectMany(static part => part.Class.Loaders).Distinct().Order())
        {
            names.Add(loader switch
            {
                Loader.Transformers4 => "transformers 4",
                Loader.Transformers5 => "transformers 5",
                _ => "diffusers",
            });
        }

        if (model.Vllm is not null) names.Add("vLLM");
        return names;
    }
}
