using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>A failure of the whole is told as its cause.</summary>
public sealed class DiagnosisTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void Verify_SidesSwapped_SaysSoWithTheRightCommand()
    {
        (string source, string quantized) = Made("a", seed: 1);

        ToolRun run = ToolRun.Of("verify", source, "--source", quantized);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "NOT-QUANTIZED");
        Assert.Contains("these look swapped", run.Error, StringComparison.Ordinal);
        Assert.Contains($"dotnet bnb verify {quantized} --source {source}", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_NothingQuantized_SaysToQuantizeFirst()
    {
        (string source, _) = Made("a", seed: 1);

        ToolRun run = ToolRun.Of("verify", source, "--source", source);

        Assert.Contains($"quantize it first: dotnet bnb quantize {source} --output DIR", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_OtherWeightsOfTheSameShapes_NamesTheFirstDifferingLayer()
    {
        (_, string quantized) = Made("a", seed: 1);
        (string other, _) = Made("b", seed: 2);

        ToolRun run = ToolRun.Of("verify", quantized, "--source", other);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.Contains("note  checkpoint  diagnosis: same shapes, other weights", run.Out, StringComparison.Ordinal);
        Assert.Contains("the first differing layer is model.layers.0.mlp.up_proj.weight", Joined(run), StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_DifferentModel_SaysSo()
    {
        (_, string quantized) = Made("a", seed: 1);
        string other = CheckpointBuilder.SingleFile(_temp["c"], [TestTensor.Floats("transformer.h.0.attn.weight", "F32", 64, 64)]);

        ToolRun run = ToolRun.Of("verify", quantized, "--source", other);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.Contains("diagnosis: different model: 0 of 2 quantized weights", run.Out, StringComparison.Ordinal);
    }

    private static string Joined(ToolRun run) => run.Out.Replace("\n", " ", StringComparison.Ordinal);

    private (string Source, string Quantized) Made(string name, int seed)
    {
        string source = CheckpointBuilder.SingleFile(
            _temp[name], [.. Enumerable.Range(0, 2).Select(layer => Normal($"model.layers.{layer}.mlp.up_proj.weight", seed + (10 * layer)))]);
        ToolRun.Succeed("quantize", source, "--output", _temp[name + "-nf4"]);
        return (source, _temp[name + "-nf4"]);
    }

    private static TestTensor Normal(string name, int seed)
    {
        var random = new Random(seed);
        float[] values = new float[64 * 128];
        for (int i = 0; i < values.Length; i++) values[i] = (float)((random.NextDouble() - 0.5) * 0.1);
        return new TestTensor(name, "F32", [64, 128], System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
    }
}
