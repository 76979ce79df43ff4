using System.Globalization;
using Bnb.Engine.Architectures;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Engine.Policy;
using Bnb.Engine.Splitting;
using Bnb.Formats.Checkpoints;
using Bnb.TestKit;
using Bnb.Tool.Tests.Architectures;
using Xunit;

namespace Bnb.Tool.Tests.Experts;

/// <summary>
/// Every class of which transformers 5 fuses experts: its checkpoint as it is in memory, split, has the names that the class saves,
/// and every loader builds what the file then holds.
/// </summary>
public sealed class SplitAtlasTests : IDisposable
{
    private const string Fused = "experts.*.";
    // Of these the order of the parts, or the number of an expert, is in no name.
    private static readonly string[] NotDivided = ["dots3_note", "dots3_note_vision_encoder", "step3p7"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Split_EveryClassAsItIsInMemory_GivesTheNamesThatItSaves()
    {
        int classes = 0;
        foreach (ModelClass model in AtlasCheckpoint.Classes(AtlasSection.Transformers))
        {
            var checkpoint = new AtlasCheckpoint(model);
            int loader = model.IndexOf(Loader.Transformers5);
            bool isFused(SavedTensor facts) => facts.Kinds[loader] == LayerKind.Expert && facts.Pattern.Contains(Fused, StringComparison.Ordinal);
            if (loader < 0 || NotDivided.Contains(model.ModelType) || !checkpoint.Tensors.Exists(item => isFused(item.Facts))) continue;

            string folder = CheckpointBuilder.SingleFile(_folder[model.Name], InMemory(checkpoint, loader, isFused), config: null);
            if (model.ModelType == "minimax_m3_vl")
            {
                // Its shared experts are merged in memory, too.
                UserErrorException refusal = Assert.Throws<UserErrorException>(() => ExpertSplit.Of(DenseTensors.Of(Checkpoint.Open(folder, requireConfig: false), isConv1D: false), checkpoint.Facts));
                Assert.Contains("shared_experts.gate_up_proj", refusal.Summary, StringComparison.Ordinal);
                continue;
            }

            classes++;
            ExpertSplit split = ExpertSplit.Of(DenseTensors.Of(Checkpoint.Open(folder, requireConfig: false), isConv1D: false), checkpoint.Facts);

            Assert.Equal(
                checkpoint.Tensors.Select(static item => item.Tensor.Name).Order(StringComparer.Ordinal),
                split.Tensors.Select(static tensor => tensor.Name).Order(StringComparer.Ordinal));
            foreach (PolicyTarget target in (PolicyTarget[])[PolicyTarget.Bnb4, PolicyTarget.CompressedTensors])
                Assert.Empty(new SimulatedLoaders(checkpoint, checkpoint.Decide(target, ExpertChoice.Split), target).Disagreements());
        }

        string page = File.ReadAllText(Path.Combine(Golden.RepositoryRoot, "docs", "modules.md"));
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"…: {classes} classes of the atlas)"), page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpt_oss", "GptOssForCausalLM", "mlp.experts.gate_up_proj", "take turns")]
    [InlineData("inkling_mm_model", "InklingForConditionalGeneration", "mlp.experts.w13_weight", "one by one")]
    [InlineData("granitemoe", "GraniteMoeForCausalLM", "block_sparse_moe.input_linear.weight", "one by one")]
    [InlineData("dbrx", "DbrxForCausalLM", "ffn.experts.mlp.w1", "one by one")]
    [InlineData("aria", "AriaForConditionalGeneration", "mlp.experts.fc1.weight", "one by one")]
    [InlineData("unheard_of", "UnheardOfForCausalLM", "mlp.experts.gate_up_proj", "one by one")]
    public void Split_LayoutThatNoLoaderReadsOneByOne_IsRefusedByName(string type, string architecture, string stack, string reason)
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["source"],
            [
                TestTensor.Floats("model.layers.0.self_attn.q_proj.weight", "BF16", 64, 64), TestTensor.Floats("model.layers.0." + stack, "BF16", 2, 64, 64),
                TestTensor.Floats("model.layers.0.mlp.experts.down_proj", "BF16", 2, 32, 64),
            ],
            $"{{\"architectures\": [\"{architecture}\"], \"model_type\": \"{type}\"}}\n");

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"], "--experts", "split", "--loads-in", "vllm");

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "EXPERTS");
        Assert.Contains(stack, run.Error, StringComparison.Ordinal);
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
        Assert.Contains("leave out --experts split", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    /// <summary>The tensors as transformers 5 holds them where it fuses experts: these in stacks, their block's others by name in memory.</summary>
    private static IEnumerable<TestTensor> InMemory(AtlasCheckpoint checkpoint, int loader, Func<SavedTensor, bool> isFused)
    {
        const long Inner = 2, Hidden = 3, Experts = 2;
        var names = new HashSet<string>(StringComparer.Ordinal);
        HashSet<string> blocks = [.. Enumerable.Range(0, checkpoint.Tensors.Count).Where(i => isFused(checkpoint.Tensors[i].Facts)).Select(i => BlockOf(Memory(i)))];
        for (int i = 0; i < checkpoint.Tensors.Count; i++)
        {
            string memory = Memory(i);
            bool isStack = isFused(checkpoint.Tensors[i].Facts);
            string name = isStack || blocks.Any(block => memory.StartsWith(block, StringComparison.Ordinal)) ? memory : checkpoint.Tensors[i].Tensor.Name;
            if (!names.Add(name)) continue;
            long[] shape = !isStack ? [4, 4]
                : name.EndsWith("down_proj", StringComparison.Ordinal) ? [Experts, Hidden, Inner]
                : name.EndsWith("gate_up_proj", StringComparison.Ordinal) ? [Experts, 2 * Inner, Hidden] : [Experts, Inner, Hidden];
            yield return TestTensor.Floats(name, "BF16", shape);
        }

        string Memory(int index) => checkpoint.Tensors[index].Facts.MemoryNames[loader] is { } pattern
            ? NumberedName.Fill(pattern, checkpoint.Tensors[index].Numbers)
            : checkpoint.Tensors[index].Tensor.Name;

        static string BlockOf(string stack) => stack[..stack.LastIndexOf("experts.", StringComparison.Ordinal)];
    }
}
