using System.Text.Json;
using Bnb.Engine.Evaluating;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>Figures of a small model that learned something, quantized in every way, against those that transformers gives for
/// the same decoded weights.</summary>
public class TrainedModelTests
{
    private static readonly JsonElement Expected = JsonDocument.Parse(File.ReadAllBytes(Golden.File("trained", "expected.json"))).RootElement;

    [Theory]
    [InlineData("nf4", "--type", "nf4")]
    [InlineData("nf4-nodq", "--type", "nf4", "--double-quant", "false")]
    [InlineData("nf4-b32", "--type", "nf4", "--block-size", "32")]
    [InlineData("nf4-b256", "--type", "nf4", "--block-size", "256")]
    [InlineData("fp4", "--type", "fp4")]
    [InlineData("int8", "--type", "int8")]
    [InlineData("int4-sym-g64", "--type", "int4", "--group-size", "64", "--symmetric", "true")]
    [InlineData("int4-asym-g64", "--type", "int4", "--group-size", "64", "--symmetric", "false")]
    public void Evaluate_TrainedModel_GivesTheFiguresOfTransformers(string name, params string[] options)
    {
        JsonElement expected = Expected.GetProperty(name);
        using var temp = new TempFolder();
        string source = Golden.File("trained"), quantized = Path.Combine(temp.Path, name);
        ToolRun.Succeed(["quantize", source, "--output", quantized, .. options]);

        EvaluationResult result = EvaluationFigures.Of(new EvaluationRequest
        {
            QuantizedPath = quantized,
            SourcePath = source,
            IdsPath = Golden.File("trained", "ids.safetensors"),
        });

        EvaluationFigures.Within(0.005, Expected.GetProperty("reference").GetProperty("perplexity").GetDouble(), result.ReferencePerplexity, "reference");
        EvaluationFigures.Within(0.005, expected.GetProperty("perplexity").GetDouble(), result.QuantizedPerplexity, "perplexity");
        EvaluationFigures.Within(0.005, expected.GetProperty("kl_mean").GetDouble(), result.Divergence.Mean, "KL");
        EvaluationFigures.Within(0.005, expected.GetProperty("kl_p99").GetDouble(), result.Divergence.P99, "99th percentile of KL");
        EvaluationFigures.Within(0.005, expected.GetProperty("top1").GetDouble(), result.Top1, "top-1");
    }
}
