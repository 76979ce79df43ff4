using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>
/// Brings decisions and compressed-tensors' <c>ignore</c> into agreement: no reader ignores a quantized module, every reader
/// ignores each copied module that may be a linear layer, under the checkpoint's names and under the readers' own.
/// </summary>
internal sealed class IgnoreClosure
{
    private const int MostRounds = 16;

    // Loaders compare every module with every entry, so a longer list would take them hours.
    private const int MostEntries = 20_000;
    private readonly ModuleName?[] _modules;
    private readonly Verdict[] _verdicts;
    private readonly ModelFacts _facts;
    private readonly ModuleNames _readers;
    private readonly UnsavedModules _unsaved;
    private readonly IReadOnlyList<string>?[] _names;
    private readonly HashSet<string> _fusedExperts = new(StringComparer.Ordinal);

    /// <summary>Takes the decisions; <paramref name="verdicts"/> is changed in place.</summary>
    public IgnoreClosure(
        IReadOnlyList<PolicyTensor> tensors, ModuleName?[] modules, Verdict[] verdicts, ModelFacts facts, ModuleNames readers, UnsavedModules unsaved)
    {
        _modules = modules;
        _verdicts = verdicts;
        _facts = facts;
        _readers = readers;
        _unsaved = unsaved;
        _names = new IReadOnlyList<string>?[modules.Length];
        for (int i = 0; i < modules.Length; i++)
        {
            if (IsQuantized(i) || IsNeeded(i)) _names[i] = _readers.IgnoredWithParts(modules[i]!, verdicts[i].Known);
            if (verdicts[i].Rule == RuleIds.FusedExperts) _fusedExperts.UnionWith(_readers.OfFusedExperts(tensors[i].Name));
        }
    }

    /// <summary>
    /// Builds the list: every name of every copied module. Where one of them is also a name of a quantized module, as when
    /// only some experts of a block are copied, the quantized one is copied too and the list is built anew. Each round
    /// copies at least one module, so it ends; a bound keeps hostile names short. Members of a fused layer share the names of
    /// its parts and so follow each other.
    /// </summary>
    /// <returns>The entries, ordinally sorted.</returns>
    /// <exception cref="PolicyException">It does not converge, or a name cannot be written into the list.</exception>
    public IReadOnlyList<string> Close()
    {
        for (int round = 0; round < MostRounds; round++)
        {
            Dictionary<string, string?> needed = StandingNames();
            foreach (int i in Indices(IsNeeded))
                foreach (string name in _names[i]!) needed[name] = _verdicts[i].Hint ?? needed.GetValueOrDefault(name);

            List<int> touched = [.. Indices(IsQuantized).Where(i => _names[i]!.Any(needed.ContainsKey))];
            if (touched.Count == 0) return Finish(needed);
            foreach (int i in touched)
            {
                _verdicts[i] = _verdicts[i].CopyInstead(
                    RuleIds.Closure, "some reader has one name for this and a neighbour that is not quantized");
            }
        }

        PolicyException.ThrowSkipConflict($"no ignore list fits the decisions after {MostRounds} rounds", []);
        return [];
    }

    // The scheme reaches every Linear of the model, also one without a tensor: a tied head, or one that a task creates.
    private Dictionary<string, string?> StandingNames()
    {
        Dictionary<string, string?> names = new(StringComparer.Ordinal);
        HashSet<string> asked = new(
            Indices(IsQuantized).Where(i => _verdicts[i].Rule == RuleIds.UserInclude).SelectMany(i => _names[i]!), StringComparer.Ordinal);
        HashSet<string> quantized = new(Indices(IsQuantized).SelectMany(i => _names[i]!), StringComparer.Ordinal);
        foreach (string head in FamilyCatalog.UnseenHeads(_facts).Prepend("lm_head"))
            AddUnless(names, head, _readers.IsKnown ? quantized : asked);

        // A file that has a block's experts one by one as well would be two layouts in one; the packed ones count.
        if (!_fusedExperts.Overlaps(quantized))
            foreach (string name in _fusedExperts) names[name] = "experts";

        foreach (string name in _unsaved.ToSkip(_verdicts)) AddUnless(names, name, asked);
        for (int i = 0; i < _modules.Length; i++)
        {
            if (_modules[i] is not { } module || !_verdicts[i].LikesCover) continue;
            IReadOnlyList<string> liked = _readers.IgnoredWithParts(module, _verdicts[i].Known);
            if (!liked.Any(quantized.Contains))
                foreach (string name in liked) names.TryAdd(name, _verdicts[i].Hint);
        }

        if (_facts.ModelType is null || FamilyCatalog.IsDiffusion(_facts)) return names;
        foreach (string head in FamilyCatalog.TaskHeads) AddUnless(names, head, quantized);
        return names;
    }

    private void AddUnless(Dictionary<string, string?> names, string module, HashSet<string> taken)
    {
        IReadOnlyList<string> own = _readers.OfUnsaved(module);
        if (own.Any(taken.Contains)) return;
        foreach (string name in own) names.TryAdd(name, null);
    }

    private IReadOnlyList<string> Finish(Dictionary<string, string?> needed)
    {
        var builder = new IgnoreListBuilder(Indices(IsQuantized).SelectMany(i => _names[i]!));
        IReadOnlyList<string> entries = builder.Build(needed.Select(static item => (item.Key, item.Value)));
        List<string> unusable = [.. entries.Where(entry => needed.ContainsKey(entry) && !IgnoreEntry.IsUsable(entry))];
        if (unusable.Count > 0)
            PolicyException.ThrowSkipConflict("a module that must be ignored has a name that readers take for something else", unusable);
        if (entries.Count > MostEntries)
            PolicyException.ThrowSkipConflict($"the ignore list would need more than {MostEntries} entries", []);
        Audit(entries, builder);
        return entries;
    }

    // The sets above decide by names alone; this asks the matchers themselves, reader by reader. Entries do not tell names
    // apart that differ in numbers only, but for those in which both kinds occur: one name of each pattern speaks for all.
    private void Audit(IReadOnlyList<string> entries, IgnoreListBuilder builder)
    {
        IReadOnlyList<IgnoreDisagreement> found = IgnoreAudit.Run(
            entries,
            _readers.Groups,
            Representatives(Indices(IsQuantized), builder),
            Representatives(Indices(IsNeeded), builder));
        if (found.Count > 0)
            PolicyException.ThrowSkipConflict("readers disagree about the ignore list", found.Select(static item => item.First));
    }

    private List<string> Representatives(IEnumerable<int> indices, IgnoreListBuilder builder)
    {
        HashSet<string> seen = new(StringComparer.Ordinal);
        List<string> names = [];
        foreach (int i in indices)
        {
            bool isCopied = !IsQuantized(i);
            foreach (string name in _readers.Ignored(_modules[i]!, _verdicts[i].Known))
                if (seen.Add(NumberedName.Pattern(name)) || isCopied && builder.IsMixed(name)) names.Add(name);
        }

        return names;
    }

    private IEnumerable<int> Indices(Func<int, bool> condition) => Enumerable.Range(0, _modules.Length).Where(condition);

    private bool IsQuantized(int i) => _verdicts[i].Action == TensorAction.Quantize;

    private bool IsNeeded(int i) => _modules[i] is not null && _verdicts[i] is { Action: TensorAction.Copy, NeedsCover: true };
}
