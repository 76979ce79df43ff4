using Bnb.Engine.Library;
using Bnb.Engine.Sampling;
using Bnb.Formats.Checkpoints;
using Bnb.TestKit;
using Bnb.Tool.Tests.Docs;
using Xunit;

namespace Bnb.Tool.Tests.Library;

/// <summary>The engine as a library, as its documentation shows it.</summary>
public sealed class ModelJobsTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public ModelJobsTests() => SampleCheckpoint.Small.Write(_temp["llama"]);

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void Quantize_ThenVerify_InTenLines()
    {
        string source = _temp["llama"], output = _temp["llama-nf4"];

        // docs/library.md shows these lines; a test has no use for cancelling them.
#pragma warning disable xUnit1051
        Checkpoint checkpoint = Checkpoint.Open(source, requireConfig: true);
        QuantizeOutcome made = ModelJobs.Quantize(source, output, new QuantizeChoices { Type = QuantizedType.Nf4, BlockSize = 64 });
        VerifyOutcome verified = ModelJobs.Verify(output, source);
        if (!verified.Passed) throw new InvalidOperationException(string.Join('\n', verified.Findings));
#pragma warning restore xUnit1051

        Assert.Equal(checkpoint.Tensors.Count, made.Quantized + made.Copied);
        Assert.Equal((14, 0L), (verified.Layers, verified.CodesDiffering));
        Assert.Equal(1_281_473, made.BytesAfter);
    }

    [Fact]
    public void Example_InTheDocument_IsTheOneAbove()
    {
        string[] shown = [.. Document.Read("docs/library.md").Lines.SkipWhile(line => line != "```csharp").Skip(1).TakeWhile(line => line != "```")];
        string here = File.ReadAllText(Document.PathOf("tests/Bnb.Tool.Tests/Library/ModelJobsTests.cs"));

        Assert.InRange(shown.Length, 4, 10);
        Assert.All(shown, line => Assert.Contains(line, here, StringComparison.Ordinal));
    }

    [Fact]
    public void Quantize_OutputExists_ThrowsWithCodeAndAction()
    {
        ModelJobs.Quantize(_temp["llama"], _temp["out"], cancellation: TestContext.Current.CancellationToken);
        File.WriteAllText(_temp["out", "mine.txt"], "x");

        var refused = Assert.Throws<EngineException>(() => ModelJobs.Quantize(
            _temp["llama"], _temp["out"], new QuantizeChoices { Type = QuantizedType.Int8 }, cancellation: TestContext.Current.CancellationToken));

        Assert.Equal("OUTPUT-EXISTS", refused.Code);
        Assert.NotNull(refused.Action);
    }

    [Fact]
    public void Quantize_BadBlockSize_IsTheCallersMistake() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => ModelJobs.Quantize(
            _temp["llama"], _temp["out"], new QuantizeChoices { BlockSize = 63 }, cancellation: TestContext.Current.CancellationToken));
}
