using Bnb.Engine.Errors;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Work;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Output;

/// <summary>Config, index and side files that are edited while a run works.</summary>
public sealed class SmallInputTests
{
    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors.index.json")]
    [InlineData("tokenizer.json")]
    public void ThrowIfChanged_FileEditedMeanwhile_IsNamed(string name)
    {
        using var folder = new TempFolder();
        string source = CheckpointBuilder.Sharded(
            folder["source"], [[TestTensor.Floats("a.weight", "BF16", 4, 4)], [TestTensor.Floats("b.weight", "BF16", 4, 4)]]);
        File.WriteAllText(Path.Combine(source, "tokenizer.json"), "{}");
        var request = new QuantizeRequest { SourcePath = source, OutputPath = null };
        var inputs = SmallInputs.Of(QuantizePlan.Make(request, RequestSource.Open(request)).SmallInputs);
        inputs.ThrowIfChanged();

        File.AppendAllText(Path.Combine(source, name), "\n");

        UserErrorException error = Assert.Throws<UserErrorException>(inputs.ThrowIfChanged);
        Assert.Equal((ExitCode.InputChanged, "INPUT-CHANGED"), (error.Exit, error.Code));
        Assert.Contains(name, error.Summary, StringComparison.Ordinal);
    }
}
