using Bnb.Engine.Evaluating;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>What searching scales is good for, measured on a model that learned something: the first half of the tokens judges,
/// the second half says which channels matter.</summary>
public sealed class ScaleSearchTests : IDisposable
{
    private const int Rows = 16, Tokens = 256;

    private static readonly string Source = Golden.File("trained");

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0.10, 0.16, "--type", "nf4", "--double-quant", "false")]
    [InlineData(0.01, 0.02, "--type", "int4", "--group-size", "64", "--symmetric", "true")]
    public void Evaluate_SearchedScales_LowerTheDivergence(double least, double leastWithImportance, params string[] type)
    {
        string importance = _folder["importance.safetensors"];
        ToolRun.Succeed("evaluate", Source, "--source", Source, "--ids", Half(second: true), "--save-importance", importance);

        double plain = Divergence("plain", type);
        double searched = Divergence("searched", [.. type, "--scale", "search"]);
        double weighted = Divergence("weighted", [.. type, "--scale", "search", "--importance", importance]);

        Assert.True(searched <= plain * (1 - least), $"search: {plain} to {searched}, {1 - (searched / plain):P1}");
        Assert.True(weighted <= plain * (1 - leastWithImportance), $"importance: {plain} to {weighted}, {1 - (weighted / plain):P1}");
    }

    private double Divergence(string name, IReadOnlyList<string> options)
    {
        ToolRun.Succeed(["quantize", Source, "--output", _folder[name], .. options]);
        return EvaluationFigures.Of(new EvaluationRequest { QuantizedPath = _folder[name], SourcePath = Source, IdsPath = Half(second: false) }).Divergence.Mean;
    }

    private string Half(bool second)
    {
        byte[] ids = GoldenTensors.Load("trained", "ids.safetensors").Bytes("input_ids");
        int half = Rows * Tokens * sizeof(long);
        var tensor = new TensorInfo("input_ids", DType.I64, TensorShape.Of(Rows, Tokens), 0, half);
        string path = _folder[second ? "second.safetensors" : "first.safetensors"];
        File.WriteAllBytes(path, [.. SafetensorsHeaderWriter.Write([tensor], null), .. ids.AsSpan(second ? half : 0, half)]);
        return path;
    }
}
