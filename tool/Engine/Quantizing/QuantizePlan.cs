using System.Globalization;
using System.Text.Json;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Engine.Merging;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Splitting;
using Bnb.Formats.Adapters;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

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
    byte[]? ConfigBytes) : OutputPlan(Tensors, Shards)
{
    public override byte[]? CardBytes => ModelCard.Of([this], SideFiles, Source.Folder);

    public override IReadOnlyList<OutputPart> Parts => [new OutputPart(Request.NamePrefix, Source, Shards, ConfigBytes)];

    public override SideFileList SideFiles => Source.SideFiles;

    /// <summary>The component of a pipeline that it makes; null for a model by itself.</summary>
    public string? Component => Request.Component;

    public override string Command => "quantize";

    public override bool HashesSource => Request.HashSource;

    public required QuantizeRequest Request { get; init; }

    /// <summary>The compute dtype written to config.json where the data type has one.</summary>
    public required string ComputeDType { get; init; }

    public long ParameterCount => Tensors.Sum(tensor => tensor.Shape.ElementCount);

    /// <summary>The forms that weights of the source are decoded from; empty for a plain one.</summary>
    public IReadOnlyList<string> SourceForms =>
    [
        .. Tensors.Select(tensor => FormOf(tensor.Input) ?? tensor.Dequantization?.Weight.Type)
            .OfType<string>().Distinct().Order(StringComparer.Ordinal),
    ];

    public long QuantizedParameterCount => Tensors.Sum(tensor => tensor.Quantization?.ValueCount ?? 0);

    /// <exception cref="CheckpointFormatException">The source breaks a rule of its format.</exception>
    /// <exception cref="PolicyException">The patterns or the skip list contradict each other.</exception>
    /// <exception cref="UserErrorException">The source is valid but cannot be quantized as asked.</exception>
    public static QuantizePlan Make(QuantizeRequest request, Checkpoint source)
    {
        QuantizeRecipe recipe = request.Recipe;
        var overrides = new OverridePlan(recipe, request.Overrides, request.NamePrefix);
        Importance? importance = request.ImportancePath is { } path ? Importance.Open(path) : null;
        ModelFacts facts = ModelFactsReader.Read(source.Config);
        IReadOnlyList<TensorPlan> dense = Dense(request, source, facts);
        IReadOnlyList<PatternRule> patterns = overrides.Patterns(request.Patterns, dense.Select(tensor => tensor.Name));
        PolicyResult policy = QuantizationPolicy.Decide(
            [.. dense.Select(tensor => new PolicyTensor(
                tensor.Name, tensor.Shape.Dimensions, IsQuantizable(tensor.DType), tensor.SourceBytes) { IsSplit = SplitTargets.StackOf(tensor) is not null })],
            facts,
            new PolicyOptions(recipe.Blocksize, request.ExcludeUnaligned, request.QuantizeVision, patterns, recipe.Target)
            {
                // A larger block that does not divide a row is refused by itself, where it may not be.
                BlocksizeOf = request.Overrides.Count == 0 ? null : name => Math.Min(recipe.Blocksize, overrides.For(name).Blocksize),
                Experts = LoadTargets.Experts(request),
                NamePrefix = request.NamePrefix,
            });
        GatherCheck.RefuseUngathered(source, policy);
        if (request.CastTo is { } dtype) dense = LoaderCast.Apply(dtype, dense, policy);
        LoadTargets.Check(request, source, policy);

        // Experts by the thousand differ in their names only.
        var forms = new Dictionary<Quantization, Quantization>();
        // With nothing to quantize the policy decides nothing; it is asked all the same, so that patterns are checked.
        List<TensorPlan> tensors =
        [
            .. dense.Zip(policy.Decisions, (tensor, decision) => recipe.Quantizes
                ? Plan(tensor, decision, overrides.For(tensor.Name), importance, forms)
                : DenseTensors.Copied(tensor) with { Decision = decision with { Action = TensorAction.Copy, Rule = "none", Reason = "nothing is quantized" } }),
        ];
        overrides.RefuseUnmatched();
        if (recipe is Blockwise4Recipe blockwise) RefuseCutTails(tensors, blockwise);
        RefuseNameClashes(tensors, recipe);
        if (request.MinCoverage is { } wanted) RefuseLowCoverage(tensors, wanted);
        IReadOnlyList<ShardPlan> shards = ShardLayout.Build(tensors, source.OutputBaseName, request.MaxShardBytes);

        IReadOnlyList<TargetedGroup> groups = MixedGroups.Of(recipe, tensors, policy.Readers);
        string computeDType = request.ComputeDType ?? SourceDType(tensors);
        // Loaders would look for packed weights by a quantization_config, and nothing is packed.
        bool packsNothing = recipe.Quantizes && tensors.TrueForAll(static tensor => tensor.Quantization is null);
        byte[]? config = null;
        if (source.Config is { } own)
        {
            ModelConfig plain = WithoutQuantization(own, source);
            if (request.CastTo is { } type) plain = ModelConfig.Parse(plain.WithDType(FloatTypes.Name(type)), source.ConfigPath!);
            config = packsNothing ? plain.Utf8.ToArray() : recipe.WriteConfig(plain, new ConfigContent(computeDType, policy.SkipModules, groups));
        }

        return new QuantizePlan(source, recipe, policy, tensors, shards, config) { Request = request, ComputeDType = computeDType };
    }

    /// <summary>The weights that are decided about, by the names they are decided by: decoded, experts divided, the adapter added.</summary>
    /// <exception cref="CheckpointFormatException">A weight of the source cannot be decoded.</exception>
    /// <exception cref="UserErrorException">The source cannot be quantized as asked.</exception>
    public static IReadOnlyList<TensorPlan> Dense(QuantizeRequest request, Checkpoint source, ModelFacts facts)
    {
        IReadOnlyList<TensorPlan> dense = DenseTensors.Of(source, OutputManifest.RecordsConv1D(source.Folder));
        if (LoadTargets.Experts(request) == ExpertChoice.Split) dense = SplitTargets.Split(request.LoadsIn, dense, facts);
        return request.AdapterPath is { } adapter ? AdapterMerge.Apply(dense, LoraAdapter.Open(adapter), facts) : dense;
    }

    /// <summary>Whether weights are turned although neither the class nor the family says that they are Conv1D: biases did.</summary>
    private bool FoundConv1D
    {
        get
        {
            ModelFacts facts = ModelFactsReader.Read(Source.Config);
            return Tensors.Any(tensor => tensor.Quantization is { Transpose: true } && !Conv1DLayout.WasUsed(tensor.Name, facts, Policy.Known, isOriginal: false));
        }
    }

    public override void WriteOptions(Utf8JsonWriter json)
    {
        PlanOptions.Write(Request, ComputeDType, json);
        if (FoundConv1D) json.WriteBoolean(OutputManifest.Conv1DOption, true);
    }

    /// <summary>The same with the files of a component of a pipeline in the folder of its name.</summary>
    public QuantizePlan InItsFolder() => this with { Shards = [.. Shards.Select(shard => shard with { FileName = Request.NamePrefix + shard.FileName })] };

    /// <summary>The same plan for some of its shards, as what one worker did is reported.</summary>
    public QuantizePlan Only(IReadOnlyList<int> shards)
    {
        IReadOnlyList<ShardPlan> some = [.. shards.Select(index => Shards[index])];
        return this with { Shards = some, Tensors = [.. some.SelectMany(shard => shard.Tensors)] };
    }

    private static bool IsQuantizable(DType dtype) => dtype is DType.F16 or DType.BF16 or DType.F32 or DType.F64;

    private static TensorPlan Plan(
        TensorPlan tensor, TensorDecision decision, QuantizeRecipe recipe, Importance? importance, Dictionary<Quantization, Quantization> forms)
    {
        if (decision.Action == TensorAction.Copy) return DenseTensors.Copied(tensor) with { Decision = decision };
        bool isTurned = tensor.Input switch
        {
            DecodedInput input => input.IsConv1D != decision.Transpose,
            MergedInput { Base.Input: not null } or SlicedInput => decision.Transpose,
            _ => false,
        };
        if (isTurned)
        {
            throw new UserErrorException(ExitCode.InputUnsupported, "SOURCE-CONV1D", $"{DisplayText.Escape(tensor.Name)} is a Conv1D that is quantized the other way round")
            {
                File = tensor.Source.File.Path,
                Tensor = tensor.Name,
                Action = "--exclude it, or start from the original weights",
            };
        }

        if (tensor.Input is MergedInput merged) tensor = tensor with { Input = merged with { Transpose = decision.Transpose } };
        long first = tensor.Shape.Dimensions[0], second = tensor.Shape.Dimensions[1];
        (long rows, long columns) = decision.Transpose ? (second, first) : (first, second);
        Quantization form = recipe.For(tensor.DType, rows, columns, decision.Transpose) with
        {
            Scale = recipe.Scale,
            Importance = importance?.For(tensor.Name, columns),
        };
        if (!forms.TryAdd(form, form)) form = forms[form];
        return tensor with { Decision = decision, Quantization = form };
    }

    private static string? FormOf(WeightInput? input) => input switch
    {
        DecodedInput decoded => decoded.Weight.Type,
        SlicedInput sliced => FormOf(sliced.Stack.Input),
        _ => null,
    };

    /// <summary>The config without the description of how the source is quantized, which the new one replaces.</summary>
    private static ModelConfig WithoutQuantization(ModelConfig own, Checkpoint source)
    {
        if (own.QuantMethod is null) return own;
        ModelConfig plain = ModelConfig.Parse(own.RemoveQuantizationConfig(), source.ConfigPath!);
        if (plain.QuantMethod is null) return plain;
        throw new UserErrorException(ExitCode.InputUnsupported, "CFG-QUANTIZED", "config.json has a second quantization_config, inside another member")
        {
            File = source.ConfigPath,
            Action = "remove the inner one: the result would have two",
        };
    }

    /// <summary>The share of the parameters that are quantized, said before anything is written.</summary>
    private static void RefuseLowCoverage(List<TensorPlan> tensors, double wanted)
    {
        long all = tensors.Sum(tensor => tensor.Shape.ElementCount), quantized = tensors.Sum(tensor => tensor.Quantization?.ValueCount ?? 0);
        double share = all == 0 ? 0 : (double)quantized / all;
        if (share >= wanted) return;
        List<TensorPlan> left = [.. tensors.Where(tensor => tensor.Quantization is null).OrderByDescending(tensor => tensor.Shape.ElementCount)];
        throw new UserErrorException(
            ExitCode.VerificationFailed, "COVERAGE", string.Create(CultureInfo.InvariantCulture, $"{100 * share:F1} % of the parameters would be quantized, {100 * wanted:F1} % are wanted"))
        {
            Facts =
            [
                .. left.Take(3).Select(tensor => ("left out", string.Create(
                    CultureInfo.InvariantCulture, $"{DisplayText.Escape(tensor.Name)}: {tensor.Shape.ElementCount:N0} parameters, {tensor.Decision.Rule}"))),
            ],
            Action = left.Take(3).Any(static tensor => tensor.Decision.Rule == RuleIds.FusedExperts)
                ? "use --experts split where a loader reads experts one by one, or lower --min-coverage"
                : "--include what is left out, or lower --min-coverage",
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
            Tensor = cut[0].Name,
            Facts = [("values", $"{cut[0].Quantization!.ValueCount}, not a multiple of {recipe.CodesPerStorageElement}")],
            Action = "use --quant-storage uint8, or --exclude these tensors",
        };
    }

    /// <summary>A source tensor may not bear the name of a companion that the output needs.</summary>
    private static void RefuseNameClashes(IReadOnlyList<TensorPlan> tensors, QuantizeRecipe recipe)
    {
        const string Probe = "module.weight";
        string[] ends = [.. recipe.CompanionNames(Probe).Select(name => name[Probe.AsSpan().CommonPrefixLength(name)..])];
        if (!tensors.Any(tensor => EndsWithAny(tensor.Name, ends))) return;
        var names = tensors.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        foreach (TensorPlan tensor in tensors.Where(tensor => tensor.Quantization is not null))
        {
            string? clash = recipe.CompanionNames(tensor.Name).FirstOrDefault(names.Contains);
            if (clash is null) continue;
            throw new UserErrorException(ExitCode.InputUnsupported, "NAME-CLASH", "the source already has a tensor of a companion's name")
            {
                File = tensor.Source.File.Path,
                Tensor = clash,
                Action = "start from the original weights",
            };
        }
    }

    private static bool EndsWithAny(string name, string[] ends)
    {
        foreach (string end in ends)
            if (name.EndsWith(end, StringComparison.Ordinal)) return true;

        return false;
    }

    /// <summary>The dtype of most quantized parameters, as torch names it; float32 is what bitsandbytes falls back to.</summary>
    private static string SourceDType(IReadOnlyList<TensorPlan> tensors) => tensors
        .Where(tensor => tensor.Quantization is not null)
        .GroupBy(tensor => tensor.Quantization!.TorchDType)
        .OrderByDescending(group => group.Sum(tensor => tensor.Quantization!.ValueCount))
        .ThenBy(group => group.Key, StringComparer.Ordinal)
        .FirstOrDefault()?.Key ?? "float32";
}
