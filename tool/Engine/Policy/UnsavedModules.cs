using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>
/// Linear layers that loaders build although the file has no tensor of their name: heads tied to an embedding, and what
/// transformers 5 makes of tensors that it splits or merges. A loader would convert them unless its list names them.
/// </summary>
internal sealed class UnsavedModules
{
    private readonly List<(string Name, int Source)> _modules = [];

    /// <summary>Finds them for the classes of the model.</summary>
    public UnsavedModules(KnownModel model, IReadOnlyList<PolicyTensor> tensors, IReadOnlyList<Verdict> verdicts)
    {
        foreach (KnownPart part in model.Parts)
        {
            AddUnusualNames(verdicts, part);
            if (part.Class.TiedModules.Count == 0 && part.Class.RebuiltModules.Count == 0) continue;
            var saved = Enumerable.Range(0, tensors.Count)
                .Where(i => verdicts[i].Known?.Class == part.Class)
                .GroupBy(i => verdicts[i].Known!.Facts)
                .ToList();
            foreach (TiedModule tied in part.Class.TiedModules) AddTied(part, tied.Module, tied.Source, saved, tensors);
            foreach (int i in saved.Where(static group => group.Key.Has(LayerKind.Rebuilt)).SelectMany(static group => group))
            {
                IReadOnlyList<string> numbers = NumberedName.Numbers(tensors[i].Name[part.Prefix.Length..]);
                foreach (string module in part.Class.RebuiltModules) _modules.Add((part.MemoryPrefix + NumberedName.Fill(module, numbers), -1));
            }
        }
    }

    /// <summary>
    /// The names that lists must hold, sorted, while the decisions are <paramref name="verdicts"/>: a module tied to a
    /// packed one is packed with it.
    /// </summary>
    public IReadOnlyList<string> ToSkip(IReadOnlyList<Verdict> verdicts) =>
    [
        .. _modules.Where(module => module.Source < 0 || verdicts[module.Source].Action == TensorAction.Copy)
            .Select(static module => module.Name).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal),
    ];

    // A linear layer whose weight is saved under another name than X.weight is copied, so that its module must be skipped.
    private void AddUnusualNames(IReadOnlyList<Verdict> verdicts, KnownPart part)
    {
        foreach (KnownTensor known in verdicts.Where(verdict => verdict.Known?.Class == part.Class && verdict.IsUnusualName).Select(static verdict => verdict.Known!))
        {
            for (int i = 0; i < known.Facts.Kinds.Count; i++)
            {
                if (known.Facts.Kinds[i] is not (LayerKind.Linear or LayerKind.Kept or LayerKind.Subclass)) continue;
                string name = known.MemoryName(i);
                _modules.Add((ModuleName.PathOfWeight(name) ?? name, -1));
            }
        }
    }

    private void AddTied(
        KnownPart part, string module, string? source, List<IGrouping<SavedTensor, int>> saved, IReadOnlyList<PolicyTensor> tensors)
    {
        const string Weight = ".weight";
        string leaf = module[(module.LastIndexOf('.') + 1)..];
        if (IsTable(leaf) || saved.Exists(group => group.Key.MemoryPatterns.Contains(module + Weight))) return;
        var sources = saved.Where(group => source is not null && group.Key.MemoryPatterns.Contains(source + Weight)).ToList();
        if (sources.Count == 0 && !module.Contains('*', StringComparison.Ordinal)) _modules.Add((part.MemoryPrefix + module, -1));
        foreach (IGrouping<SavedTensor, int> group in sources)
        {
            // A head shares its weight with an embedding; what shares a norm's or a convolution's is no linear layer.
            if (group.Key.IsNeverLinear && !IsTable(source![(source!.LastIndexOf('.') + 1)..])) continue;
            foreach (int i in group)
                _modules.Add((part.MemoryPrefix + NumberedName.Fill(module, NumberedName.Numbers(tensors[i].Name[part.Prefix.Length..])), i));
        }
    }

    private static bool IsTable(string leaf) =>
        LeafNames.IsEmbedding(leaf) || LeafNames.IsEmbeddingLike(leaf) || leaf.Contains("embed", StringComparison.Ordinal);
}
