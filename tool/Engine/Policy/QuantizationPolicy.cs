using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>
/// Decides which tensors of a checkpoint are quantized, and writes the list that makes every consumer come to the same
/// decision: bitsandbytes' skip list or compressed-tensors' ignore list. Pure: names, shapes and options in, decisions out.
/// </summary>
internal static class QuantizationPolicy
{
    /// <summary>
    /// Built-in rules, then user patterns, then vLLM's fused groups, then the closure over the list, which may copy
    /// further modules. The result is checked against all consumers before it is returned.
    /// </summary>
    /// <param name="tensors">All tensors of the checkpoint in any order.</param>
    /// <param name="facts">The model's config.</param>
    /// <param name="options">The user's choices.</param>
    /// <exception cref="PolicyException">A pattern is wrong, or no list expresses the decisions.</exception>
    public static PolicyResult Decide(IReadOnlyList<PolicyTensor> tensors, ModelFacts facts, PolicyOptions options)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(facts);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Blocksize);

        var modules = new ModuleName?[tensors.Count];
        var verdicts = new Verdict[tensors.Count];
        var context = new RuleContext(tensors, facts, options);
        for (int i = 0; i < tensors.Count; i++)
        {
            modules[i] = ModuleName.PathOfWeight(tensors[i].Name) is string path ? new ModuleName(path) : null;
            verdicts[i] = LinearRules.Judge(tensors[i], modules[i], context);
        }

        UserPatterns.Apply(tensors, modules, verdicts, options);
        var names = new ModuleNames(facts, context.Known);
        names.Groups.Equalize(modules, verdicts);
        var unsaved = new UnsavedModules(context.Known, tensors, verdicts);
        IReadOnlyList<string> skipModules = options.Target == PolicyTarget.CompressedTensors
            ? new IgnoreClosure(tensors, modules, verdicts, facts, names, unsaved).Close()
            : new SkipClosure(modules, verdicts, facts, names, unsaved).Close();
        return new PolicyResult(
            [.. tensors.Select((tensor, i) => Decision(tensor, verdicts[i]))],
            skipModules,
            [
                .. tensors.Where((_, i) => verdicts[i].Rule == RuleIds.FusedExperts)
                    .Select(static tensor => new FusedExperts(tensor.Name, tensor.ByteCount, tensor.Shape)),
            ],
            PolicyNotes.Write(modules, verdicts, facts, context.Known, options.Target, skipModules))
        {
            Readers = names,
            Known = context.Known,
        };
    }

    private static TensorDecision Decision(PolicyTensor tensor, Verdict verdict) =>
        new(tensor, verdict.Action, verdict.Rule, verdict.Reason, verdict.Unaligned, verdict.Transpose) { Known = verdict.Known };
}
