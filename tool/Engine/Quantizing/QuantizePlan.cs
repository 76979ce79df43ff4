using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// A quantization: what is quantized and why, beside what every output plan says.
/// </summary>
internal sealed record QuantizePlan(
    Checkpoint Source,
    QuantizeRecipe Recipe,
    PolicyResult Policy,
    IReadOnlyList<TensorPlan> Tensors,
    IReadOnlyList<ShardPlan> Shards,
    byte[]? ConfigBytes) : OutputPlan(Source, Tensors, Shards, ConfigBytes)
{
    public override byte[]? CardBytes => ModelCard.Of(this);

    public long ParameterCount => Tensors.Sum(tensor => tensor.Source.Shape.ElementCount);

    public long QuantizedParameterCount => Tensors.Sum(tensor => tensor.Quantization?.ValueCount ?? 0);

    /// <exception cref="CheckpointFormatException">The source breaks a rule of its format.</exception>
    /// <exception cref="PolicyException">The patterns or the skip list contradict each other.</exception>
    /// <exception cref="UserErrorException">The source is valid but cannot be quantized as asked.</exception>
    public static QuantizePlan Make(QuantizeRequest request, Checkpoint source)
    {
        RefuseQuantized(source);
        QuantizeRecipe recipe = request.Recipe;
        PolicyResult policy = QuantizationPolicy.Decide(
            [.. source.Tensors.Select(tensor => new PolicyTensor(
                tensor.Name, tensor.Shape.Dimensions, IsQuantizable(tensor.DType), tensor.ByteCount))],
            ModelFactsReader.Read(source.Config),
            new PolicyOptions(recipe.Blocksize, request.ExcludeUnaligned, request.QuantizeVision, request.Patterns, recipe.Target)
            {
                Experts = LoadTargets.Experts(request),
            });
        LoadTargets.Check(request, source, policy);

        List<TensorPlan> tensors =
            [.. source.Tensors.Zip(policy.Decisions, (tensor, decision) => Plan(tensor, decision, recipe))];
        if (recipe is Blockwise4Recipe blockwise) RefuseCutTails(tensors, blockwise);
        RefuseNameClashes(tensors, recipe);
        IReadOnlyList<ShardPlan> shards = ShardLayout.Build(tensors, source.OutputBaseName, request.MaxShardBytes);

        byte[]? config = source.Config is { } own
            ? recipe.WriteConfig(own, request.ComputeDType ?? SourceDType(tensors), policy.SkipModules)
            : null;
        return new QuantizePlan(source, recipe, policy, tensors, shards, config);
    }

    private static bool IsQuantizable(DType dtype) => dtype is DType.F16 or DType.BF16 or DType.F32 or DType.F64;

    private static TensorPlan Plan(CheckpointTensor tensor, TensorDecision decision, QuantizeRecipe recipe)
    {
        if (decision.Action == TensorAction.Copy) return new TensorPlan(tensor, decision, null);
        long first = tensor.Shape.Dimensions[0], second = tensor.Shape.Dimensions[1];
        (long rows, long columns) = decision.Transpose ? (second, first) : (first, second);
        return new TensorPlan(tensor, decision, recipe.For(tensor.DType, rows, columns, decision.Transpose));
    }

    private static void RefuseQuantized(Checkpoint source)
    {
        string? reason = source.Config?.QuantMethod is { } method
            ? $"config.json names quant_method {method}"
            : QuantizedSource.Find(source);
        if (reason is null) return;
        throw new UserErrorException(ExitCode.InputUnsupported, "CFG-QUANTIZED", "the source is already quantized")
        {
            File = source.ConfigPath ?? source.Folder,
            Facts = [("found", reason)],
            Action = "start from the original weights",
        };
    }

    /// <summary>A wider storage dtype floors the shape: a tensor that does not fill it would lose its last codes.</summary>
    private static void RefuseCutTails(IReadOnlyList<TensorPlan> tensors, Blockwise4Recipe recipe)
    {
        if (recipe.QuantStorage == DType.U8) return;
        var cut = tensors.Where(tensor => tensor.Quantization?.ValueCount % recipe.CodesPerStorageElement > 0).ToList();
        if (cut.Count == 0) return;
        throw new UserErrorException(
            ExitCode.InputUnsupported,
            "STORAGE-TAIL",
            $"{cut.Count} tensors do not fill whole {Blockwise4Recipe.TorchName(recipe.QuantStorage)} elements and would lose their last values")
        {
            Tensor = cut[0].Source.Name,
            Facts = [("values", $"{cut[0].Quantization!.ValueCount}, not a multiple of {recipe.CodesPerStorageElement}")],
            Action = "use --quant-storage uint8, or --exclude these tensors",
        };
    }

    /// <summary>A source tensor may not bear the name of a companion that the output needs.</summary>
    private static void RefuseNameClashes(IReadOnlyList<TensorPlan> tensors, QuantizeRecipe recipe)
    {
        var names = tensors.Select(tensor => tensor.Source.Name).ToHashSet(StringComparer.Ordinal);
        foreach (TensorPlan tensor in tensors.Where(tensor => tensor.Quantization is not null))
        {
            string? clash = recipe.CompanionNames(tensor.Source.Name).FirstOrDefault(names.Contains);
            if (clash is null) continue;
            throw new UserErrorException(ExitCode.InputUnsupported, "NAME-CLASH", "the source already has a tensor of a companion's name")
            {
                File = tensor.Source.File.Path,
                Tensor = clash,
                Action = "start from the original weights",
            };
        }
    }

    /// <summary>The dtype of most quantized parameters, as torch names it; float32 is what bitsandbytes falls back to.</summary>
    private static string SourceDType(IReadOnlyList<TensorPlan> tensors) => tensors
        .Where(tensor => tensor.Quantization is not null)
        .GroupBy(tensor => tensor.Quantization!.TorchDType)
        .OrderByDescending(group => group.Sum(tensor => tensor.Quantization!.ValueCount))
        .ThenBy(group => group.Key, StringComparer.Ordinal)
        .FirstOrDefault()?.Key ?? "float32";
}
