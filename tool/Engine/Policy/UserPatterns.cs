using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>Applies the user's include and exclude rules on top of the built-in ones.</summary>
internal static class UserPatterns
{
    /// <summary>
    /// Overrides <paramref name="verdicts"/> in place; for each tensor the last matching rule wins. An include never turns
    /// an embedding, a norm or anything but a matrix into a quantized tensor: such matches are passed over, so that
    /// <c>--include "*"</c> means every linear layer.
    /// </summary>
    /// <exception cref="PolicyException">A pattern matches nothing, or an include only what cannot be quantized.</exception>
    public static void Apply(
        IReadOnlyList<PolicyTensor> tensors, ModuleName?[] modules, Verdict[] verdicts, PolicyOptions options)
    {
        IReadOnlyList<PatternRule> patterns = options.Patterns;
        for (int p = 0; p < patterns.Count; p++)
        {
            PatternRule pattern = patterns[p];
            NamePattern glob = pattern.Compile(options.NamePrefix);
            int matched = 0;
            int able = 0;
            int example = -1;
            for (int i = 0; i < tensors.Count; i++)
            {
                if (!glob.IsMatch(tensors[i].Name) && !(modules[i] is { } module && glob.IsMatch(module.Path))) continue;
                if (matched++ == 0) example = i;
                if (verdicts[i].Forced) continue;
                able++;
                verdicts[i] = pattern.Include ? Include(verdicts[i], pattern) : Exclude(verdicts[i], pattern);
            }

            if (matched == 0) throw UnmatchedPattern.Error(pattern.Option, pattern.Glob, "a pattern matches no tensor of the checkpoint", tensors.Select(static tensor => tensor.Name));
            if (pattern.Include && able == 0) ThrowImpossible(pattern, tensors[example], verdicts[example]);
        }
    }

    private static Verdict Include(Verdict verdict, PatternRule pattern) => verdict with
    {
        Action = TensorAction.Quantize,
        Rule = RuleIds.UserInclude,
        Reason = "included by " + PolicyException.Shorten(pattern.Glob),
        NeedsCover = false,
        Hint = null,
    };

    private static Verdict Exclude(Verdict verdict, PatternRule pattern)
    {
        // A module that a rule already copies keeps that rule's reason and its well-tried skip entry.
        bool alreadyCopied = verdict.Action == TensorAction.Copy;
        return alreadyCopied
            ? verdict
            : verdict.CopyInstead(RuleIds.UserExclude, "excluded by " + PolicyException.Shorten(pattern.Glob));
    }

    private static void ThrowImpossible(PatternRule pattern, PolicyTensor tensor, Verdict verdict) =>
        throw new PolicyException(
            PolicyException.PatternImpossible,
            "an include matches only tensors that cannot be quantized",
            [
                Option(pattern),
                KeyValuePair.Create("tensor", PolicyException.Shorten(tensor.Name)),
                KeyValuePair.Create("shape", RuleContext.Describe(tensor.Shape)),
                KeyValuePair.Create("reason", verdict.Reason),
            ],
            "include the two-dimensional .weight of a linear layer, or drop the pattern");

    private static KeyValuePair<string, string> Option(PatternRule pattern) =>
        KeyValuePair.Create(pattern.Option, PolicyException.Shorten(pattern.Glob));
}
