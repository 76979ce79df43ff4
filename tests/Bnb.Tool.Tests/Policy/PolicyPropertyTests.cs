using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

public class PolicyPropertyTests
{
    private static readonly string[] Types = ["llama", "t5", "gpt2", "bert", "jamba", "qwen2_vl", "mixtral"];

    [Theory]
    [InlineData("Bnb4")]
    [InlineData("Bnb8")]
    [InlineData("CompressedTensors")]
    public void Decide_AnyNames_IsClosedOrRefusedAndIndependentOfOrder(string output)
    {
        const int Rounds = 400;
        PolicyTarget target = Enum.Parse<PolicyTarget>(output);
        int decided = 0;
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            if (CheckOne(seed, target)) decided++;
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(Rounds));

        // Refusing everything would fulfil the property as well.
        Assert.InRange(decided, Rounds / 3, Rounds);
    }

    /// <summary>Names that the property was once found wrong for: a star of a name's own passed for a number.</summary>
    [Theory]
    [InlineData(1864527290, "CompressedTensors")]
    public void Decide_NamesFoundBefore_IsClosedOrRefusedAndIndependentOfOrder(int seed, string output) =>
        CheckOne(seed, Enum.Parse<PolicyTarget>(output));

    /// <summary>Names that vLLM's fused layers, expert blocks, regular expressions and class names are made of.</summary>
    [Fact]
    public void Decide_NamesOfFusedLayers_AreClosedOrRefusedByEveryReaderOfIgnore()
    {
        const int Rounds = 3000;
        string[] parts =
        [
            "a", "model", "language_model", "experts", "experts", "0", "1", "q_proj", "k_proj", "qkv_proj", "gate_proj", "up_proj",
            "gate_up_proj", "w1", "block_sparse_moe", "mlp", "gate", "lm_head", "Linear", "re:a",
        ];
        var random = new Random(20261122);
        int decided = 0;
        int closed = 0;
        for (int round = 0; round < Rounds; round++)
        {
            PolicyTensor[] tensors =
            [
                .. Enumerable.Range(0, random.Next(1, 16))
                    .Select(_ => string.Join('.', Enumerable.Range(0, random.Next(1, 6)).Select(_ => parts[random.Next(parts.Length)])))
                    .Distinct()
                    .Select(path => ModelSketch.Make(path + ".weight", 64, random.Next(6) == 0 ? 100 : 64)),
            ];
            ModelFacts facts = ModelSketch.Facts("llama", multimodal: random.Next(2) == 0);
            (PolicyResult? result, string? code) = Try(tensors, facts, Options("CompressedTensors"));
            Assert.True(result is not null || code == PolicyException.SkipConflict, code);
            if (result is null) continue;
            decided++;
            if (result.Decisions.Any(static decision => decision.Rule == RuleIds.Closure)) closed++;
            ModelSketch.AssertClosed(result, facts, PolicyTarget.CompressedTensors);
        }

        Assert.InRange(decided, Rounds / 3, Rounds);
        Assert.InRange(closed, 10, Rounds);
    }

    [Theory]
    [InlineData("Bnb4")]
    [InlineData("CompressedTensors")]
    public void Decide_HugeAndOddNames_MakesNoMoreThanInProportion(string output)
    {
        string dots = new('.', 70_000);
        string letters = new('a', 70_000);
        string path = string.Concat(Enumerable.Repeat("a.b.", 17_500));
        string[] names =
            [dots, letters, path, path + "gate", letters + ".gate", "layer_norm" + letters, "model." + path + "q_proj", path + "experts.x"];
        List<PolicyTensor> tensors = [.. names.Select(static name => ModelSketch.Make(name + ".weight", 64, 64))];
        long before = GC.GetAllocatedBytesForCurrentThread();

        PolicyResult result = QuantizationPolicy.Decide(tensors, ModelSketch.Facts("llama"), Options(output));

        Assert.All(result.Decisions, static decision => Assert.Equal(TensorAction.Copy, decision.Action));
        // Every prefix of a name may be looked at, not every pair of prefixes: 17,500 parts squared would be 10^8.
        Assert.InRange(AllocatedSince(before), 0, 400_000_000);
    }

    [Theory]
    [InlineData("Bnb4")]
    [InlineData("CompressedTensors")]
    public void Decide_EntangledNames_MakesNoMoreThanInProportion(string output)
    {
        // Every prefix and suffix of one name occurs in the others, and every other module must be skipped.
        List<PolicyTensor> tensors = [];
        for (int first = 1; first < 60; first++)
            for (int second = 1; second < 60; second++)
                tensors.Add(ModelSketch.Make($"{Run(first)}b.{Run(second)}.weight", (first + second) % 2 * 64, 64));
        static string Run(int count) => string.Join('.', Enumerable.Repeat("a", count));
        long before = GC.GetAllocatedBytesForCurrentThread();

        try
        {
            QuantizationPolicy.Decide(tensors, ModelSketch.Facts("llama"), Options(output));
        }
        catch (PolicyException error)
        {
            Assert.Equal(PolicyException.SkipConflict, error.Code);
        }

        Assert.InRange(AllocatedSince(before) / tensors.Count, 0, 200_000);
    }

    [Theory]
    [InlineData("Bnb4", "gate")]
    [InlineData("CompressedTensors", "re:.*\\.gate$")]
    public void Decide_HundredThousandTensors_MakesTheSameForEach(string output, string entry)
    {
        List<PolicyTensor> tensors = [];
        for (int layer = 0; layer < 60; layer++)
        {
            foreach (string leaf in new[] { "q_proj", "k_proj", "v_proj", "o_proj" })
                tensors.Add(ModelSketch.Make($"model.layers.{layer}.self_attn.{leaf}.weight", 64, 64));
            tensors.Add(ModelSketch.Make($"model.layers.{layer}.mlp.gate.weight", 256, 64));
            for (int expert = 0; expert < 556; expert++)
                foreach (string leaf in new[] { "gate_proj", "up_proj", "down_proj" })
                    tensors.Add(ModelSketch.Make($"model.layers.{layer}.mlp.experts.{expert}.{leaf}.weight", 64, 64));
        }

        Assert.True(tensors.Count > 100_000);
        long before = GC.GetAllocatedBytesForCurrentThread();

        PolicyResult result = QuantizationPolicy.Decide(tensors, ModelSketch.Facts("qwen3_moe"), Options(output));

        Assert.Contains(entry, result.SkipModules);
        // Looking at all pairs would take 10^10 steps; what is made per tensor does not grow with their number.
        Assert.InRange(AllocatedSince(before) / tensors.Count, 0, 20_000);
    }

    private static long AllocatedSince(long before) => GC.GetAllocatedBytesForCurrentThread() - before;

    private static PolicyOptions Options(string output) => ModelSketch.Options() with { Target = Enum.Parse<PolicyTarget>(output) };

    private static bool CheckOne(int seed, PolicyTarget target)
    {
        var random = new Random(seed);
        bool odd = random.Next(3) == 0;
        var tensors = Enumerable.Range(0, random.Next(1, 25))
            .Select(_ => odd ? RandomNames.OddPath(random, 4) : RandomNames.Path(random, 4))
            .Distinct()
            .Select(path => ModelSketch.Make(path + ".weight", random.Next(12) == 0 ? 0 : 64, random.Next(12) == 0 ? 100 : 64))
            .ToArray();
        ModelFacts facts = ModelSketch.Facts(Types[random.Next(Types.Length)], multimodal: random.Next(2) == 0);
        List<(bool, string)> patterns = [];
        for (int i = random.Next(3); i > 0; i--)
        {
            string name = ModuleName.PathOfWeight(tensors[random.Next(tensors.Length)].Name) ?? "*";
            patterns.Add((random.Next(3) == 0, random.Next(2) == 0 ? name : "*" + name[(name.Length / 2)..]));
        }

        PolicyOptions options = ModelSketch.Options([.. patterns]) with { Target = target };
        (PolicyResult? result, string? code) = Try(tensors, facts, options);
        if (result is not null) ModelSketch.AssertClosed(result, facts, target);

        PolicyTensor[] shuffled = [.. tensors];
        random.Shuffle(shuffled);
        (PolicyResult? again, string? codeAgain) = Try(shuffled, facts, options);
        Assert.Equal(code, codeAgain);
        if (result is null) return false;
        Assert.Equal(result.SkipModules, again!.SkipModules);
        Assert.Equal(result.Notes, again.Notes);
        Assert.Equal(Sorted(result), Sorted(again));
        return true;
    }

    private static IEnumerable<string> Sorted(PolicyResult result) => result.Decisions
        .Select(static decision => $"{decision.Tensor.Name} {decision.Action} {decision.Rule} {decision.Reason}")
        .Order(StringComparer.Ordinal);

    private static (PolicyResult? Result, string? Code) Try(PolicyTensor[] tensors, ModelFacts facts, PolicyOptions options)
    {
        try
        {
            return (QuantizationPolicy.Decide(tensors, facts, options), null);
        }
        catch (PolicyException error)
        {
            return (null, error.Code);
        }
    }
}
