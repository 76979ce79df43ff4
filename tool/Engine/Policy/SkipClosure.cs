using Bnb.Engine.Policy.Names;
using Bnb.Engine.Policy.SkipLists;

namespace Bnb.Engine.Policy;

/// <summary>
/// Brings decisions and skip list into agreement: no consumer skips a quantized module, every consumer skips each copied
/// module that may be a linear layer, under the checkpoint's names and under the consumers' own.
/// </summary>
internal sealed class SkipClosure
{
    private const int MostRounds = 16, FewModules = 1 << 13;
    private readonly ModuleName?[] _modules;
    private readonly Verdict[] _verdicts;
    private readonly ModelFacts _facts;
    private readonly ModuleNames _consumers;
    private readonly UnsavedModules _unsaved;
    private readonly IReadOnlyList<string>?[] _names;

    /// <summary>Takes the decisions; <paramref name="verdicts"/> is changed in place.</summary>
    public SkipClosure(ModuleName?[] modules, Verdict[] verdicts, ModelFacts facts, ModuleNames consumers, UnsavedModules unsaved)
    {
        _modules = modules;
        _verdicts = verdicts;
        _facts = facts;
        _consumers = consumers;
        _unsaved = unsaved;
        _names = new IReadOnlyList<string>?[modules.Length];
        for (int i = 0; i < modules.Length; i++)
            if (IsQuantized(i) || IsNeeded(i)) _names[i] = consumers.Of(modules[i]!, verdicts[i].Known);
    }

    /// <summary>
    /// Builds the list. Where a copied module cannot be skipped without skipping a quantized one as well (transformers 5
    /// reads entries as unanchored prefixes: <c>mlp.gate</c> takes <c>mlp.gate_proj</c> along), the quantized one is copied
    /// and the list is built anew. Each round copies at least one module, so it ends; a bound keeps hostile names short.
    /// </summary>
    /// <exception cref="PolicyException">It does not converge, or a name cannot be written into the list.</exception>
    public IReadOnlyList<string> Close()
    {
        for (int round = 0; round < MostRounds; round++)
        {
            var builder = new SkipListBuilder(new NameTree(Indices(IsQuantized).SelectMany(i => _names[i]!)));
            List<string> unsolved = AddStandingEntries(builder);
            foreach (int i in Indices(IsNeeded).OrderBy(i => _modules[i]!.Path, StringComparer.Ordinal))
                foreach (string name in _names[i]!)
                    if (!TryCover(builder, name, _verdicts[i].Hint)) unsolved.Add(name);

            foreach (string name in _unsaved.ToSkip(_verdicts).Where(name => !IsAskedFor(name)))
                if (!TryCover(builder, name, name[(name.LastIndexOf('.') + 1)..])) unsolved.Add(name);

            if (unsolved.Count == 0)
            {
                AddWelcomeEntries(builder);
                IReadOnlyList<string> entries = builder.Entries;
                Audit(entries);
                return entries;
            }

            CopyWhatIsTouched(unsolved);
            _consumers.Groups.Equalize(_modules, _verdicts);
        }

        PolicyException.ThrowSkipConflict($"no skip list fits the decisions after {MostRounds} rounds", []);
        return [];
    }

    // Where transformers 5 alone has the model, an entry may be an expression that means one name and nothing else.
    private bool TryCover(SkipListBuilder builder, string name, string? hint)
    {
        if (builder.TryCover(name, hint)) return true;
        if (!_consumers.IsOfTransformers5Only || !SkipEntry.IsUsable(name)) return false;
        string entry = SkipEntry.ExactName(name);
        var only = new SkipList([entry]);
        if (Indices(IsQuantized).Any(i => _names[i]!.Any(only.MatchesAny))) return false;
        builder.AddChecked(entry);
        return true;
    }

    // An explicit list turns the loaders own detection of heads off, so heads are listed even when the file has none:
    // they may be tied, or created fresh for a classification task.
    private List<string> AddStandingEntries(SkipListBuilder builder)
    {
        List<string> unsolved = [];
        foreach (string head in FamilyCatalog.UnseenHeads(_facts).Prepend("lm_head"))
            if (!builder.TryAdd(head) && !_consumers.IsKnown && !IsAskedFor(head)) unsolved.Add(head);

        if (_facts.ModelType is null || FamilyCatalog.IsDiffusion(_facts)) return unsolved;
        foreach (string head in FamilyCatalog.TaskHeads) builder.TryAdd(head);
        return unsolved;
    }

    // Some consumer may have a linear layer there; it is not worth copying a neighbour.
    private void AddWelcomeEntries(SkipListBuilder builder)
    {
        for (int i = 0; i < _modules.Length; i++)
        {
            if (_modules[i] is not { } module || !_verdicts[i].LikesCover) continue;
            foreach (string name in _consumers.Of(module, _verdicts[i].Known)) builder.TryCover(name, _verdicts[i].Hint);
        }
    }

    // The user may quantize a head knowingly; then the list must not name it.
    private bool IsAskedFor(string head)
    {
        var only = new SkipList([head]);
        return Indices(IsQuantized).Any(i =>
            _verdicts[i].Rule == RuleIds.UserInclude && _names[i]!.Any(only.MatchesAny));
    }

    private void CopyWhatIsTouched(List<string> unsolved)
    {
        List<string> unwritable = [.. unsolved.Where(static name => !SkipEntry.IsUsable(name))];
        if (unwritable.Count > 0)
            PolicyException.ThrowSkipConflict("a module that must be skipped has a name no skip list can hold", unwritable);

        var touching = new SkipList(unsolved);
        foreach (int i in Indices(IsQuantized).ToList())
        {
            if (!_names[i]!.Any(touching.MatchesAny)) continue;
            _verdicts[i] = _verdicts[i].CopyInstead(
                RuleIds.Closure, "some loader could not skip a neighbour without skipping this one too");
        }
    }

    // The builder chose each entry with an index over names; this asks the matchers themselves, name by name.
    private void Audit(IReadOnlyList<string> entries)
    {
        int middle = _modules.Length < FewModules ? _modules.Length : _modules.Length / 2;
        List<string> wrong = [], others = [];
        // Each half has matchers of its own, which remember what they were asked.
        SkipList first = new(entries), second = new(entries);
        if (middle == _modules.Length) wrong = Wrong(first, 0, middle);
        else Parallel.Invoke(() => wrong = Wrong(first, 0, middle), () => others = Wrong(second, middle, _modules.Length));
        wrong.AddRange(others);
        if (wrong.Count > 0) PolicyException.ThrowSkipConflict("loaders disagree about the skip list", wrong);
    }

    private List<string> Wrong(SkipList list, int from, int to)
    {
        List<string> wrong = [];
        for (int i = from; i < to && wrong.Count < 5; i++)
        {
            if (_names[i] is not { } names) continue;
            foreach (string name in names)
                if (IsQuantized(i) ? list.MatchesAny(name) : !IsSkipped(list, name)) wrong.Add(name);
        }

        return wrong;
    }

    private bool IsSkipped(SkipList list, string name) => _consumers.IsOfTransformers5Only
        ? list.MatchesV5(name) && list.MatchesV5Anchored(name)
        : list.MatchesAll(name);

    private IEnumerable<int> Indices(Func<int, bool> condition) => Enumerable.Range(0, _modules.Length).Where(condition);

    private bool IsQuantized(int i) => _verdicts[i].Action == TensorAction.Quantize;

    private bool IsNeeded(int i) => _modules[i] is not null && _verdicts[i] is { Action: TensorAction.Copy, NeedsCover: true };
}
