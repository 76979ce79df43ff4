using System.Globalization;
using Bnb.Engine.Architectures;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Architectures;

/// <summary>Every class of the atlas, by the rules of every loader: what the file would hold is what the loader builds.</summary>
public sealed class AtlasLoadTests
{
    // What these rules leave in 16 bit is left there on purpose; docs/modules.md tells why.
    private static readonly string[] Documented =
    [
        RuleIds.Multimodal, RuleIds.Router, RuleIds.StateSpace, RuleIds.DiffusionEnds, RuleIds.KeepFloat32, RuleIds.ReadRaw, RuleIds.Conv1D,
        RuleIds.Experts, RuleIds.NotWeight, RuleIds.MultiheadAttention,
    ];

    // The checkpoints have three layers, models a dozen and more.
    private const int Layers = 4;

    [Theory]
    [InlineData("Bnb4", "Pack")]
    [InlineData("Bnb4", "Keep")]
    [InlineData("Bnb8", "Pack")]
    [InlineData("Bnb8", "Keep")]
    [InlineData("CompressedTensors", "Pack")]
    [InlineData("CompressedTensors", "Keep")]
    public void Decide_EveryClass_IsWhatEachLoaderBuilds(string output, string experts)
    {
        PolicyTarget target = Enum.Parse<PolicyTarget>(output);
        List<string> problems = [];
        int classes = 0, aside = 0;
        foreach (AtlasSection section in (AtlasSection[])[AtlasSection.Transformers, AtlasSection.Diffusers])
        {
            foreach (ModelClass model in AtlasCheckpoint.Classes(section))
            {
                classes++;
                var checkpoint = new AtlasCheckpoint(model);
                try
                {
                    PolicyResult result = checkpoint.Decide(target, Enum.Parse<ExpertChoice>(experts));
                    var loaders = new SimulatedLoaders(checkpoint, result, target);
                    problems.AddRange(loaders.Disagreements());
                    if (loaders.LeavesExpertsAside) aside++;
                    if (Loss(checkpoint, result) is string loss) problems.Add(loss);
                }
                catch (PolicyException refusal)
                {
                    problems.Add($"{model.Name}: {refusal.Message}: {string.Join(' ', refusal.Facts)}");
                }
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{classes} classes, {problems.Count} problems");
        if (Environment.GetEnvironmentVariable("ATLAS_DUMP") is string path) File.WriteAllLines(path + output + experts, problems);
        Assert.True(problems.Count == 0, $"{problems.Count} problems, such as\n{string.Join('\n', problems.Take(20))}");
        // The page's figures are these: no disagreement in any loader, over all classes.
        string types = target switch { PolicyTarget.Bnb4 => "nf4, fp4", PolicyTarget.Bnb8 => "int8", _ => "int4, fp8" };
        string row = string.Create(CultureInfo.InvariantCulture, $"| {types} | {experts.ToLowerInvariant()} | {classes:N0} | 0 | 0 | 0 | 0 | 0 | {aside} |");
        Assert.Contains(row, File.ReadAllText(Path.Combine(Golden.RepositoryRoot, "docs", "loaders.md")), StringComparison.Ordinal);
    }

    // The simulation must notice: with an empty list each loader converts the plain head, and with a layer's own name it misses one.
    [Theory]
    [InlineData("Bnb4", "transformers 5.0|transformers 5.23|Transformers4|vLLM")]
    [InlineData("CompressedTensors", "compressed-tensors for Transformers5|compressed-tensors for Transformers4|compressed-tensors 0.10|vLLM")]
    public void Disagreements_OfAListThatIsWrong_NameEveryLoader(string output, string loaders)
    {
        PolicyTarget target = Enum.Parse<PolicyTarget>(output);
        var checkpoint = new AtlasCheckpoint(Atlas.Embedded.Class(AtlasSection.Transformers, "LlamaForCausalLM")!);
        PolicyResult right = checkpoint.Decide(target);
        Assert.Empty(new SimulatedLoaders(checkpoint, right, target).Disagreements());

        foreach (string[] list in (string[][])[[], ["model.layers.1.self_attn.o_proj"]])
        {
            string found = string.Join('\n', new SimulatedLoaders(checkpoint, right with { SkipModules = list }, target).Disagreements());
            Assert.All(loaders.Split('|'), loader => Assert.Contains($" in {loader}: ", found, StringComparison.Ordinal));
        }
    }

    private static string? Loss(AtlasCheckpoint checkpoint, PolicyResult result)
    {
        int usual = 0;
        Dictionary<string, int> lost = [];
        for (int i = 0; i < checkpoint.Tensors.Count; i++)
        {
            if (!checkpoint.Tensors[i].Facts.IsLinearEverywhere) continue;
            int weight = checkpoint.Tensors[i].Numbers.Count > 0 ? Layers : 1;
            usual += weight;
            TensorDecision decision = result.Decisions[i];
            if (decision.Action == TensorAction.Copy && !Documented.Contains(decision.Rule))
                lost[decision.Rule] = lost.GetValueOrDefault(decision.Rule) + weight;
        }

        int sum = lost.Values.Sum();
        return sum * 20 > usual ? $"{checkpoint.Model.Name} loses {sum} of {usual}: {string.Join(", ", lost)}" : null;
    }
}
