using System.Buffers.Binary;
using System.Text.Json;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

public class GoldenPolicyTests
{
    [Fact]
    public void Decide_TinyLlama_QuantizesExactlyWhatBitsandbytesDid()
    {
        ModelFacts facts = ModelSketch.Facts("llama", "LlamaForCausalLM");
        PolicyResult result = QuantizationPolicy.Decide(Source(), facts, ModelSketch.Options());

        IEnumerable<string> golden = Header("nf4-dq", "model.safetensors")
            .Select(static tensor => tensor.Name)
            .Where(static name => name.EndsWith(".weight.absmax", StringComparison.Ordinal))
            .Select(static name => name[..^".absmax".Length])
            .Order(StringComparer.Ordinal);
        Assert.Equal(golden, Quantized(result));
        Assert.Equal(["classifier", "lm_head", "qa_outputs", "score"], result.SkipModules);
        // The golden model has down projections of width 688 = 10.75 blocks: quantized, but told apart.
        Assert.All(result.Decisions, static decision =>
            Assert.Equal(decision.Tensor.Name.Contains("down_proj", StringComparison.Ordinal), decision.Unaligned));
        ModelSketch.AssertClosed(result, facts);
    }

    [Fact]
    public void Decide_TinyLlamaInt8_QuantizesExactlyWhatBitsandbytesDid()
    {
        ModelFacts facts = ModelSketch.Facts("llama", "LlamaForCausalLM");
        PolicyResult result = QuantizationPolicy.Decide(Source(), facts, ModelSketch.Options() with { Target = PolicyTarget.Bnb8 });

        IEnumerable<string> golden = Header("int8", "model.safetensors")
            .Select(static tensor => tensor.Name)
            .Where(static name => name.EndsWith(".SCB", StringComparison.Ordinal))
            .Select(static name => name[..^".SCB".Length] + ".weight")
            .Order(StringComparer.Ordinal);
        Assert.Equal(golden, Quantized(result));
        Assert.Equal(["classifier", "lm_head", "qa_outputs", "score"], result.SkipModules);
        Assert.All(result.Decisions, static decision => Assert.False(decision.Unaligned));
        ModelSketch.AssertClosed(result, facts, PolicyTarget.Bnb8);
    }

    [Theory]
    [InlineData(16, 0)]
    [InlineData(128, 2)]
    public void Decide_TinyLlamaCompressedTensors_CopiesWhatHasNoWholeGroups(int groupSize, int copied)
    {
        ModelFacts facts = ModelSketch.Facts("llama", "LlamaForCausalLM");
        PolicyResult result = QuantizationPolicy.Decide(
            Source(), facts, ModelSketch.Options() with { Blocksize = groupSize, Target = PolicyTarget.CompressedTensors });

        Assert.Equal(14 - copied, Quantized(result).Count());
        Assert.Equal(copied, result.Decisions.Count(static decision => decision.Rule == RuleIds.Unaligned));
        Assert.Equal(copied > 0, ModelSketch.Ignores(result, "model.layers.1.mlp.down_proj"));
        Assert.Contains("lm_head", result.SkipModules);
        ModelSketch.AssertClosed(result, facts, PolicyTarget.CompressedTensors);
    }

    private static List<PolicyTensor> Source() =>
        [.. Header("source", "model-00001-of-00002.safetensors"), .. Header("source", "model-00002-of-00002.safetensors")];

    private static IEnumerable<string> Quantized(PolicyResult result) => result.Decisions
        .Where(static decision => decision.Action == TensorAction.Quantize)
        .Select(static decision => decision.Tensor.Name)
        .Order(StringComparer.Ordinal);

    private static List<PolicyTensor> Header(params string[] parts)
    {
        byte[] file = File.ReadAllBytes(Golden.File(["tiny-llama", .. parts]));
        int length = checked((int)BinaryPrimitives.ReadInt64LittleEndian(file));
        using JsonDocument header = JsonDocument.Parse(file.AsMemory(8, length));
        return
        [
            .. header.RootElement.EnumerateObject().Where(static entry => entry.Name != "__metadata__").Select(static entry =>
                new PolicyTensor(
                    entry.Name,
                    [.. entry.Value.GetProperty("shape").EnumerateArray().Select(static size => size.GetInt64())],
                    entry.Value.GetProperty("dtype").GetString() is "BF16" or "F16" or "F32",
                    0)),
        ];
    }
}
