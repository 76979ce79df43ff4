using System.Globalization;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

/// <summary>
/// A small made-up checkpoint that knows what should become of each tensor. Names may hold <c>{a|b}</c> alternatives and
/// <c>{0-3}</c> ranges, which are expanded.
/// </summary>
internal sealed class ModelSketch
{
    private readonly List<(PolicyTensor Tensor, string Rule)> _expected = [];

    public IReadOnlyList<PolicyTensor> Tensors => [.. _expected.Select(static item => item.Tensor)];

    public ModelSketch Linear(string module, int rows = 128, int columns = 64) =>
        Tensor(RuleIds.Linear, module + ".weight", rows, columns);

    public ModelSketch Kept(string rule, string module, int rows = 128, int columns = 64) =>
        Tensor(rule, module + ".weight", rows, columns);

    public ModelSketch Tensor(string rule, string name, params long[] shape)
    {
        foreach (string expanded in Expand(name))
            _expected.Add((Make(expanded, shape), rule));
        return this;
    }

    public static PolicyTensor Make(string name, params long[] shape) =>
        new(name, shape, IsFloat: true, shape.Aggregate(2L, static (product, size) => product * size));

    public static ModelFacts Facts(string? modelType, string architecture = "", bool multimodal = false, bool tied = false) =>
        new(modelType, architecture.Length == 0 ? [] : [architecture], multimodal, tied, null, []);

    public static PolicyOptions Options(params (bool Include, string Glob)[] patterns) =>
        new(64, false, false, [.. patterns.Select(static pattern => new PatternRule(pattern.Include, pattern.Glob))]);

    /// <summary>Decides, compares every tensor with the expectation, and asks the naive matchers about the list.</summary>
    public PolicyResult Check(ModelFacts facts, PolicyOptions? options = null)
    {
        PolicyResult result = QuantizationPolicy.Decide(Tensors, facts, options ?? Options());
        Assert.Equal(
            _expected.Select(static item => $"{item.Tensor.Name}: {item.Rule}"),
            result.Decisions.Select(static decision => $"{decision.Tensor.Name}: {decision.Rule}"));
        foreach (TensorDecision decision in result.Decisions)
            Assert.Equal(decision.Rule is RuleIds.Linear or RuleIds.UserInclude, decision.Action == TensorAction.Quantize);

        AssertClosed(result, facts, options?.Target ?? PolicyTarget.Bnb4);
        return result;
    }

    /// <summary>No consumer skips a quantized module; every consumer skips each copied matrix that may be a linear layer.</summary>
    public static void AssertClosed(PolicyResult result, ModelFacts facts, PolicyTarget target = PolicyTarget.Bnb4)
    {
        var names = new ModuleNames(facts, new RuleContext([.. result.Decisions.Select(static decision => decision.Tensor)], facts, Options()).Known);
        foreach (TensorDecision decision in result.Decisions)
        {
            bool quantized = decision.Action == TensorAction.Quantize;
            string? path = ModuleName.PathOfWeight(decision.Tensor.Name);
            if (path is null || decision.Tensor is not { IsFloat: true, Shape.Count: 2 })
            {
                Assert.False(quantized, decision.Tensor.Name);
                continue;
            }

            var module = new ModuleName(path);
            bool exempt = decision.Known?.Facts.IsNeverLinear == true || LeafNames.IsEmbedding(module.Leaf) || LeafNames.IsNorm(module.Leaf);
            if (!quantized && exempt) continue;
            foreach (string name in target == PolicyTarget.CompressedTensors ? names.Ignored(module, decision.Known) : names.Of(module, decision.Known))
            {
                if (target == PolicyTarget.CompressedTensors) AssertIgnored(result.SkipModules, name, quantized);
                else AssertSkipped(result.SkipModules, name, quantized);
            }
        }
    }

    /// <summary>Whether readers of compressed-tensors' list ignore the module.</summary>
    public static bool Ignores(PolicyResult result, string module) =>
        NaiveIgnoreReaders.All["CompressedTensors"](result.SkipModules, module) == "ignored";

    private static void AssertSkipped(IReadOnlyList<string> entries, string name, bool quantized)
    {
        foreach ((string consumer, Func<IReadOnlyList<string>, string, bool> skips) in NaiveMatchers.All)
            Assert.True(skips(entries, name) != quantized, $"{consumer} on {name}, quantized: {quantized}");
    }

    private static void AssertIgnored(IReadOnlyList<string> entries, string name, bool quantized)
    {
        foreach ((string reader, Func<IReadOnlyList<string>, string, string> ask) in NaiveIgnoreReaders.All)
        {
            string answer = ask(entries, name);
            Assert.True(answer == (quantized ? "quantized" : "ignored"), $"{reader} on {name}: {answer}, quantized: {quantized}");
        }
    }

    private static IEnumerable<string> Expand(string name)
    {
        int start = name.IndexOf('{', StringComparison.Ordinal);
        if (start < 0) return [name];
        int end = name.IndexOf('}', start);
        string inside = name[(start + 1)..end];
        string[] range = inside.Split('-');
        bool isRange = int.TryParse(range[0], out int first) & int.TryParse(range[^1], out int last) & range.Length == 2;
        IEnumerable<string> choices = isRange
            ? Enumerable.Range(first, last - first + 1).Select(static number => number.ToString(CultureInfo.InvariantCulture))
            : inside.Split('|');
        return choices.SelectMany(choice => Expand(name[..start] + choice + name[(end + 1)..]));
    }
}
