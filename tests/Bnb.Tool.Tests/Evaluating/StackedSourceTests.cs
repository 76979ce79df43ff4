using Bnb.Engine.Evaluating;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>Models whose experts are quantized stacks, as their makers publish them, beside their own dense form.</summary>
public sealed class StackedSourceTests : IDisposable
{
    private const int Tokens = 32;
    private const int Experts = 4;
    private const int Hidden = 64;
    private const int Inner = 64;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Evaluate_ExpertsInMxfp4_AreThoseOfTheirDenseForm()
    {
        string source = Golden.File("sources", "mxfp4", "gpt_oss");

        AssertIsItsDenseForm(source, vocabulary: 64);
    }

    [Fact]
    public void Evaluate_ExpertsInFp8_AreThoseOfTheirDenseForm()
    {
        string single = Golden.File("logits", "qwen3_moe");
        List<TestTensor> tensors =
        [
            .. OutputFolder.Tensors(single).Where(tensor => !tensor.Key.Contains(".experts.", StringComparison.Ordinal))
                .Select(tensor => new TestTensor(tensor.Key, "BF16", [.. tensor.Value.Info.Shape.Dimensions], tensor.Value.Bytes)),
        ];
        for (int layer = 0; layer < 3; layer++)
        {
            tensors.AddRange(Stack($"model.layers.{layer}.mlp.experts.gate_up_proj", 2 * Inner, Hidden, layer));
            tensors.AddRange(Stack($"model.layers.{layer}.mlp.experts.down_proj", Hidden, Inner, layer + 10));
        }

        string config = File.ReadAllText(Path.Combine(single, "config.json")).TrimEnd().TrimEnd('}')
            + ", \"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [32, 32]}}";
        string source = CheckpointBuilder.SingleFile(_folder["fp8"], tensors, config);

        AssertIsItsDenseForm(source, vocabulary: 320);
    }

    private void AssertIsItsDenseForm(string quantized, int vocabulary)
    {
        ToolRun.Succeed("dequantize", quantized, "--output", _folder["dense"]);
        long[] ids = [.. Enumerable.Range(0, Tokens).Select(i => i * 7L % vocabulary)];
        File.WriteAllBytes(
            _folder["ids.safetensors"],
            CheckpointBuilder.Safetensors(new TestTensor("input_ids", "I64", [1, Tokens], [.. ids.SelectMany(BitConverter.GetBytes)])));

        EvaluationResult figures = EvaluationFigures.Of(
            new EvaluationRequest { QuantizedPath = quantized, SourcePath = _folder["dense"], IdsPath = _folder["ids.safetensors"] });

        Assert.Equal((figures.ReferencePerplexity, 0.0), (figures.QuantizedPerplexity, figures.Divergence.Maximum));
        Assert.InRange(figures.ReferencePerplexity, 1.5, 1e6);
    }

    /// <summary>Codes of either sign that are numbers, with scales of powers of two: exact in BF16.</summary>
    private static IEnumerable<TestTensor> Stack(string name, int rows, int columns, int seed)
    {
        var random = new Random(seed);
        yield return new TestTensor(
            name, "F8_E4M3", [Experts, rows, columns], [.. Enumerable.Range(0, Experts * rows * columns).Select(_ => (byte)(random.Next(0x50) | (random.Next(2) << 7)))]);
        yield return new TestTensor(
            name + "_scale_inv", "F32", [Experts, rows / 32, columns / 32],
            [.. Enumerable.Range(0, Experts * rows * columns / 1024).SelectMany(_ => BitConverter.GetBytes((float)Math.Pow(2, -random.Next(3, 7))))]);
    }
}
