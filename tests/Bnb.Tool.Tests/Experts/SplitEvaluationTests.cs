using System.Text.RegularExpressions;
using Bnb.Engine.Evaluating;
using Bnb.TestKit;
using Bnb.Tool.Tests.Evaluating;
using Xunit;

namespace Bnb.Tool.Tests.Experts;

/// <summary>Models that transformers computed with: split experts beside their stacks have the figures of single ones.</summary>
public sealed partial class SplitEvaluationTests : IDisposable
{
    private static readonly string[][] Order = [["gate_proj", "up_proj", "down_proj"], ["w1", "w3", "w2"]];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("qwen3_moe")]
    [InlineData("mixtral")]
    [InlineData("deepseek_v3")]
    public void Evaluate_SplitExpertsBesideTheirStacks_GivesTheFiguresOfSingleOnes(string name)
    {
        string single = Golden.File("logits", name), stacks = WriteStacks(single);
        ToolRun.Succeed("quantize", single, "--output", _folder["wanted"], "--experts", "pack");
        ToolRun.Succeed("quantize", stacks, "--output", _folder["out"], "--experts", "split", "--loads-in", "transformers4");

        EvaluationResult wanted = Figures(name, _folder["wanted"], single), found = Figures(name, _folder["out"], stacks);

        Assert.Equal(
            (wanted.ReferencePerplexity, wanted.QuantizedPerplexity, wanted.Divergence.Mean, wanted.Top1),
            (found.ReferencePerplexity, found.QuantizedPerplexity, found.Divergence.Mean, found.Top1));
    }

    private static EvaluationResult Figures(string name, string quantized, string source) => EvaluationFigures.Of(new EvaluationRequest
    {
        QuantizedPath = quantized,
        SourcePath = source,
        IdsPath = Golden.File("logits", name, "expected.safetensors"),
    });

    private string WriteStacks(string single)
    {
        List<TestTensor> tensors =
            [.. OutputFolder.Tensors(single).Select(tensor => new TestTensor(tensor.Key, "BF16", [.. tensor.Value.Info.Shape.Dimensions], tensor.Value.Bytes))];
        List<TestTensor> twin = [.. tensors.Where(tensor => !Expert().IsMatch(tensor.Name))];
        foreach (var block in tensors.Where(tensor => Expert().IsMatch(tensor.Name)).GroupBy(tensor => Expert().Match(tensor.Name).Groups[1].Value))
        {
            string[] leaves = Order.Single(order => block.Any(tensor => Leaf(tensor) == order[0]));
            twin.Add(Stack(block.Key + ".experts.gate_up_proj", block, leaves[..2]));
            twin.Add(Stack(block.Key + ".experts.down_proj", block, leaves[2..]));
        }

        return CheckpointBuilder.SingleFile(_folder["stacks"], twin, File.ReadAllText(Path.Combine(single, "config.json")));

        static string Leaf(TestTensor tensor) => Expert().Match(tensor.Name).Groups[3].Value;

        static TestTensor Stack(string name, IEnumerable<TestTensor> weights, string[] leaves)
        {
            List<TestTensor> parts =
            [
                .. weights.Where(tensor => leaves.Contains(Leaf(tensor)))
                    .OrderBy(tensor => int.Parse(Expert().Match(tensor.Name).Groups[2].ValueSpan)).ThenBy(tensor => Array.IndexOf(leaves, Leaf(tensor))),
            ];
            long experts = parts.Count / leaves.Length;
            return new TestTensor(name, "BF16", [experts, leaves.Length * parts[0].Shape[0], parts[0].Shape[1]], [.. parts.SelectMany(part => part.Data)]);
        }
    }

    [GeneratedRegex(@"\A(.*)\.experts\.([0-9]+)\.([a-z0-9_]+)\.weight\z")]
    private static partial Regex Expert();
}
