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
    private readonly IgnoreNames _readers;
    private readonly IReadOnlyList<string>?[] _names;
    private readonly HashSet<string> _fusedExperts = new(StringComparer.Ordinal);

    /// <summary>Takes the decisions; <paramref name="verdicts"/> is changed in place.</summary>
    public IgnoreClosure(
        IReadOnlyList<PolicyTensor> tensors, ModuleName?[] modules, Verdict[] verdicts, ModelFacts facts)
    {
        _modules = modules;
        _verdicts = verdicts;
        _facts = facts;
        _readers = new IgnoreNames(facts);
        _names = new IReadOnlyList<string>?[modules.Length];
        for (int i = 0; i < modules.Length; i++)
        {
            if (IsQuantized(i) || IsNeeded(i)) _names[i] = _readers.WithParts(modules[i]!.Path);
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
            HashSet<string> entries = StandingEntries();
            foreach (int i in Indices(IsNeeded)) entries.UnionWith(_names[i]!);
            List<int> touched = [.. Indices(IsQuantized).Where(i => _names[i]!.Any(entries.Contains))];
            if (touched.Count == 0) return Finish(entries);
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
    private HashSet<string> StandingEntries()
    {
        HashSet<string> entries = new(_fusedExperts, StringComparer.Ordinal);
        HashSet<string> asked = new(
            Indices(IsQuantized).Where(i => _verdicts[i].Rule == RuleIds.UserInclude).SelectMany(i => _names[i]!), StringComparer.Ordinal);
        foreach (string head in FamilyCatalog.UnseenHeads(_facts).Prepend("lm_head")) AddUnless(entries, head, asked);
        if (_facts.ModelType is null || FamilyCatalog.IsDiffusion(_facts)) return entries;
        HashSet<string> quantized = new(Indices(IsQuantized).SelectMany(i => _names[i]!), StringComparer.Ordinal);
        foreach (string head in FamilyCatalog.TaskHeads) AddUnless(entries, head, quantized);
        return entries;
    }

    private void AddUnless(HashSet<string> entries, string head, HashSet<string> taken)
    {
        IReadOnlyList<string> names = _readers.WithParts(head);
        if (!names.Any(taken.Contains)) entries.UnionWith(names);
    }

    private List<string> Finish(HashSet<string> entries)
    {
        List<string> unusable = [.. entries.Where(static name => !IgnoreEntry.IsUsable(name)).Order(StringComparer.Ordinal)];
        if (unusable.Count > 0)
            PolicyException.ThrowSkipConflict("a module that must be ignored has a name that readers take for something else", unusable);
        if (entries.Count > MostEntries)
            PolicyException.ThrowSkipConflict($"the ignore list would need more than {MostEntries} entries", []);
        List<string> sorted = [.. entries.Order(StringComparer.Ordinal)];
        Audit(sorted);
        return sorted;
    }

    // The sets above decide by names alone; this asks the matchers themselves, reader by reader.
    private void Audit(List<string> entries)
    {
        IReadOnlyList<IgnoreDisagreement> found = IgnoreAudit.Run(
            entries,
            [.. Indices(IsQuantized).SelectMany(i => _readers.Of(_modules[i]!.Path))],
            [.. Indices(IsNeeded).SelectMany(i => _readers.Of(_modules[i]!.Path)).Concat(_fusedExperts)]);
        if (found.Count > 0)
            PolicyException.ThrowSkipConflict("readers disagree about the ignore list", found.Select(static item => item.First));
    }

    private IEnumerable<int> Indices(Func<int, bool> condition) => Enumerable.Range(0, _modules.Length).Where(condition);

    private bool IsQuantized(int i) => _verdicts[i].Action == TensorAction.Quantize;

    private bool IsNeeded(int i) => _modules[i] is not null && _verdicts[i] is { Action: TensorAction.Copy, NeedsCover: true };
}
