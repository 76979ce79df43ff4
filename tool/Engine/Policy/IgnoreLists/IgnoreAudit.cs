using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy.IgnoreLists;

/// <summary>Asks every reader whether an ignore list says what the tensors are.</summary>
internal static class IgnoreAudit
{
    /// <summary>
    /// Compares the list with the modules. Empty when all readers agree with the tensors. Ordered by reader, then problem;
    /// independent of the order of the names. Names are compared as given: a foreign list may hold the names of a loader
    /// that renames modules, which then count as missed.
    /// </summary>
    /// <param name="ignore">Entries of <c>quantization_config.ignore</c>, untrusted text.</param>
    /// <param name="groups">What vLLM fuses in the model.</param>
    /// <param name="quantized">Full names of modules stored packed.</param>
    /// <param name="plain">Full names of modules stored as plain weights that are or may be linear layers.</param>
    public static IReadOnlyList<IgnoreDisagreement> Run(
        IEnumerable<string> ignore,
        FusedGroups groups,
        IReadOnlyCollection<string> quantized,
        IReadOnlyCollection<string> plain)
    {
        var list = new IgnoreList(ignore, groups);
        List<IgnoreDisagreement> found = [];
        foreach (IgnoreReader reader in Enum.GetValues<IgnoreReader>())
        {
            Dictionary<IgnoreProblem, (int Count, string First)> problems = [];
            foreach (string module in quantized)
                Count(problems, list.Ask(reader, module), IgnoreAnswer.Quantized, IgnoreProblem.IgnoresQuantized, module);
            foreach (string module in plain)
                Count(problems, list.Ask(reader, module), IgnoreAnswer.Ignored, IgnoreProblem.MissesPlain, module);
            found.AddRange(problems.OrderBy(static problem => problem.Key).Select(problem =>
                new IgnoreDisagreement(reader, problem.Key, problem.Value.Count, problem.Value.First)));
        }

        if (list.Unreadable.Count > 0)
        {
            found.Add(new IgnoreDisagreement(
                null, IgnoreProblem.Unreadable, list.Unreadable.Count, list.Unreadable.Order(StringComparer.Ordinal).First()));
        }

        return found;
    }

    private static void Count(
        Dictionary<IgnoreProblem, (int Count, string First)> problems,
        IgnoreAnswer answer,
        IgnoreAnswer expected,
        IgnoreProblem otherwise,
        string module)
    {
        if (answer == expected) return;
        IgnoreProblem problem = answer == IgnoreAnswer.Refused ? IgnoreProblem.Refuses : otherwise;
        (int count, string first) = problems.GetValueOrDefault(problem, (0, module));
        problems[problem] = (count + 1, string.CompareOrdinal(module, first) < 0 ? module : first);
    }
}
