using Bnb.Engine.DataTypes;
using Bnb.Engine.Output;
using Bnb.Engine.Policy;
using Bnb.Engine.Work;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Comparing;

/// <summary>What will be compared with what, and everything that headers, quant_states and configs already tell.</summary>
/// <param name="Models">One, or the components of two pipelines.</param>
/// <param name="Single">Weights that only one side has.</param>
internal sealed record DiffPlan(
    IReadOnlyList<DiffSides> Models, IReadOnlyList<DiffPair> Pairs, IReadOnlyList<WeightDiff> Single, TextDiff Config, TextDiff Metadata)
{
    /// <exception cref="CheckpointFormatException">A file breaks a rule of its format.</exception>
    /// <exception cref="Policy.Names.PolicyException">A pattern matches nothing, or is none.</exception>
    public static DiffPlan Make(DiffRequest request)
    {
        UnfinishedOutput.Refuse(request.PathA);
        UnfinishedOutput.Refuse(request.PathB);
        IReadOnlyList<DiffSides> models = DiffSides.Of(request, out TextDiff? index);
        SortedDictionary<string, DiffWeight> weightsA = new(StringComparer.Ordinal), weightsB = new(StringComparer.Ordinal);
        foreach (DiffSides model in models) AddWeights(model, weightsA, weightsB);
        Dictionary<string, WeightLayout> layouts = models.ToDictionary(static model => model.Prefix, model => WeightLayout.Of(
            model.A?.Config ?? model.B?.Config,
            weightsA.Values.Where(weight => weight.Prefix == model.Prefix && weight.Shape.Count >= 2).Select(static weight => weight.OwnName),
            model.Original,
            model.RecordsConv1D));

        var pairs = new List<DiffPair>();
        var single = new List<WeightDiff>();
        foreach (string name in Chosen([.. weightsA.Values.Concat(weightsB.Values).DistinctBy(static weight => weight.Name).OrderBy(static weight => weight.Name, StringComparer.Ordinal)], request.Patterns))
        {
            DiffWeight? inA = weightsA.GetValueOrDefault(name), inB = weightsB.GetValueOrDefault(name);
            if (inA is not null && inB is not null) pairs.Add(DiffPair.Of(inA, inB, layouts[inA.Prefix]));
            else if (inA is not null) single.Add(new WeightDiff(name, DiffStatus.Removed, inA, null, [], inA.Shape));
            else single.Add(new WeightDiff(name, DiffStatus.Added, null, inB, [], inB!.Shape));
        }

        // One file given by itself has no config to speak of.
        bool bothFolders = Directory.Exists(request.PathA) && Directory.Exists(request.PathB);
        List<(string, TextDiff)> configs =
        [
            .. models.Where(model => bothFolders || (model.A?.Config is not null && model.B?.Config is not null))
                .Select(static model => (model.Prefix, TextDiff.OfConfigs(model.A?.Config, model.B?.Config))),
        ];
        if (index is not null) configs.Insert(0, (PipelineFolder.IndexName + "/", index));
        return new DiffPlan(
            models, pairs, single, TextDiff.Join(configs), TextDiff.Join([.. models.Select(static model => (model.Prefix, TextDiff.OfMetadata(model.A, model.B)))]));
    }

    /// <summary>What a worker's buffers must hold for any pair.</summary>
    public BufferNeeds Needs()
    {
        var compared = Pairs.Where(pair => pair.Content != PairContent.Nothing).ToList();
        List<DiffWeight> weights = [.. compared.Select(pair => pair.A), .. compared.Select(pair => pair.B)];
        return BufferNeeds.Of(
            weights.Select(weight => weight.Packed).OfType<QuantizedWeight>().Select(DataTypeCatalog.BuffersOf),
            weights.Select(Width),
            Pairs.Any(pair => pair.Transposed),
            denseReaders: 2);

        static int Width(DiffWeight weight) => weight.Packed is null ? Math.Max(1, weight.Stored.DType.BitSize() / 8) : sizeof(float);
    }

    private static void AddWeights(DiffSides model, SortedDictionary<string, DiffWeight> weightsA, SortedDictionary<string, DiffWeight> weightsB)
    {
        SortedDictionary<string, DiffWeight> a = DiffWeight.AllOf(model.A, model.Prefix), b = DiffWeight.AllOf(model.B, model.Prefix);
        DiffWeight.SplitLike(a, ModelFactsReader.Read(model.A?.Config ?? model.B?.Config), b, model.Prefix);
        DiffWeight.SplitLike(b, ModelFactsReader.Read(model.B?.Config ?? model.A?.Config), a, model.Prefix);
        foreach ((string name, DiffWeight weight) in a) weightsA[name] = weight;
        foreach ((string name, DiffWeight weight) in b) weightsB[name] = weight;
    }

    /// <summary>Names after --include and --exclude: with an --include first nothing else is wanted, else everything is.</summary>
    /// <param name="weights">Of either side. A pattern may give a component's tensor with its prefix or without.</param>
    private static IEnumerable<string> Chosen(IReadOnlyList<DiffWeight> weights, IReadOnlyList<PatternRule> patterns)
    {
        var rules = patterns.Select(pattern => (pattern.Include, Pattern: pattern.Compile())).ToList();
        for (int i = 0; i < rules.Count; i++)
        {
            if (!weights.Any(weight => IsMatch(rules[i].Pattern, weight)))
                throw UnmatchedPattern.Error(patterns[i].Option, patterns[i].Glob, "a pattern matches no tensor of either checkpoint", weights.Select(static weight => weight.Name));
        }

        bool wanted = rules.Count == 0 || !rules[0].Include;
        return weights.Where(weight => rules.Aggregate(wanted, (keep, rule) => IsMatch(rule.Pattern, weight) ? rule.Include : keep)).Select(static weight => weight.Name);

        static bool IsMatch(NamePattern pattern, DiffWeight weight) => pattern.IsMatchOfTensor(weight.Name) || pattern.IsMatchOfTensor(weight.OwnName);
    }
}
