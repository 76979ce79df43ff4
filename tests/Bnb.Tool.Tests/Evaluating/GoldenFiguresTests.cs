using System.Text.Json;
using Bnb.Engine.Evaluating;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>Figures of small models and their nf4 twins against those that transformers gives.</summary>
public class GoldenFiguresTests
{
    public static TheoryData<string> Models => [.. GoldenModel.Names];

    private static readonly JsonElement Expected =
        JsonDocument.Parse(File.ReadAllBytes(Golden.File("logits", "expected.json"))).RootElement.GetProperty("models");

    [Theory]
    [MemberData(nameof(Models))]
    public void Evaluate_Nf4Twin_GivesTheFiguresOfTransformers(string name)
    {
        JsonElement expected = Expected.GetProperty(name);
        string source = Golden.File("logits", name);
        using var temp = new TempFolder();
        string quantized = Path.Combine(temp.Path, "nf4");
        // As transformers has them in memory: experts are fused and stay as they are.
        ToolRun.Succeed(["quantize", source, "--output", quantized, "--experts", "keep"]);

        EvaluationResult result = EvaluationFigures.Of(new EvaluationRequest
        {
            QuantizedPath = quantized,
            SourcePath = source,
            IdsPath = Golden.File("logits", name, "expected.safetensors"),
        });

        EvaluationFigures.Within(0.001, expected.GetProperty("perplexity").GetDouble(), result.ReferencePerplexity, "perplexity");
        EvaluationFigures.Within(0.005, expected.GetProperty("perplexity_nf4").GetDouble(), result.QuantizedPerplexity, "perplexity of nf4");
        EvaluationFigures.Within(0.03, expected.GetProperty("kl_nf4").GetDouble(), result.Divergence.Mean, "KL");
        // One position of 96 may lie at a tie.
        Assert.InRange(result.Top1, expected.GetProperty("top1_nf4").GetDouble() - 0.0105, expected.GetProperty("top1_nf4").GetDouble() + 0.0105);
    }
}
