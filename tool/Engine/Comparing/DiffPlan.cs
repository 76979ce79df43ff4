using Bnb.Engine.DataTypes;
using Bnb.Engine.Output;
using Bnb.Engine.Policy;
using Bnb.Engine.Work;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Comparing;

/// <summary>What will be compared with what, and everything that headers, quant_states and configs already tell.</summary>
/// <param name="Single">Weights that only one side has.</param>
internal sealed record DiffPlan(
    Checkpoint A, Checkpoint B, IReadOnlyList<DiffPair> Pairs, IReadOnlyList<WeightDiff> Single, TextDiff Config, TextDiff Metadata)
{
    /// <exception cref="CheckpointFormatException">A file breaks a rule of its format.</exception>
    /// <exception cref="Policy.Names.PolicyException">A pattern matches nothing, or is none.</exception>
    public static DiffPlan Make(DiffRequest request)
    {
        UnfinishedOutput.Refuse(request.PathA);
        UnfinishedOutput.Refuse(request.PathB);
        Checkpoint a = Checkpoint.Open(request.PathA, requireConfig: false, followSymlinks: true);
        Checkpoint b = Checkpoint.Open(request.PathB, requireConfig: false, followSymlinks: true);
        SortedDictionary<string, DiffWeight> weightsA = DiffWeight.AllOf(DataTypeCatalog.Read(a)), weightsB = DiffWeight.AllOf(DataTypeCatalog.Read(b));
        DiffWeight.SplitLike(weightsA, ModelFactsReader.Read(a.Config ?? b.Config), weightsB);
        DiffWeight.SplitLike(weightsB, ModelFactsReader.Read(b.Config ?? a.Config), weightsA);
        var layout = WeightLayout.Of(
            a.Config ?? b.Config, weightsA.Values.Where(static weight => weight.Shape.Count >= 2).Select(static weight => weight.Name));

        var pairs = new List<DiffPair>();
        var single = new List<WeightDiff>();
        foreach (string name in Chosen([.. weightsA.Keys.Union(weightsB.Keys).Order(StringComparer.Ordinal)], request.Patterns))
        {
            DiffWeight? inA = weightsA.GetValueOrDefault(name), inB = weightsB.GetValueOrDefault(name);
            if (inA is not null && inB is not null) pairs.Add(DiffPair.Of(inA, inB, layout));
            else if (inA is not null) single.Add(new WeightDiff(name, DiffStatus.Removed, inA, null, [], inA.Shape));
            else single.Add(new WeightDiff(name, DiffStatus.Added, null, inB, [], inB!.Shape));
        }

        // One file given by itself has no config to speak of.
        bool bothFolders = Directory.Exists(request.PathA) && Directory.Exists(request.PathB);
        TextDiff config = bothFolders || (a.Config is not null && b.Config is not null) ? TextDiff.OfConfigs(a.Config, b.Config) : TextDiff.None;
        return new DiffPlan(a, b, pairs, single, config, TextDiff.OfMetadata(a, b));
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

    /// <summary>Names after --include and --exclude: with an --include first nothing else is wanted, else everything is.</summary>
    private static IEnumerable<string> Chosen(IReadOnlyList<string> names, IReadOnlyList<PatternRule> patterns)
    {
        var rules = patterns.Select(pattern => (pattern.Include, Pattern: pattern.Compile())).ToList();
        for (int i = 0; i < rules.Count; i++)
        {
            if (!names.Any(name => rules[i].Pattern.IsMatchOfTensor(name)))
                throw UnmatchedPattern.Error(patterns[i].Option, patterns[i].Glob, "a pattern matches no tensor of either checkpoint", names);
        }

        bool wanted = rules.Count == 0 || !rules[0].Include;
        return names.Where(name => rules.Aggregate(wanted, (keep, rule) => rule.Pattern.IsMatchOfTensor(name) ? rule.Include : keep));
    }
}
