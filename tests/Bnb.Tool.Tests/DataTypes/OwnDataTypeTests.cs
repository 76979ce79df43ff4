using Bnb.Engine.DataTypes;
using Bnb.Engine.Dequantizing;
using Bnb.Engine.Events;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Sampling;
using Bnb.Engine.Verifying;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.DataTypes;

/// <summary>A type that the product does not know, brought by one file and one registration.</summary>
public sealed class OwnDataTypeTests : IDisposable
{
    private static readonly Lazy<bool> Registered = new(() =>
    {
        DataTypeCatalog.Register(new Steps8Type());
        return true;
    });

    private readonly TempFolder _folder = new();

    public OwnDataTypeTests()
    {
        Assert.True(Registered.Value);
        SampleCheckpoint.Small.Write(_folder["source"]);
        QuantizeRun.Execute(
            new QuantizeRequest { SourcePath = _folder["source"], OutputPath = _folder["packed"], Recipe = new Steps8Recipe() },
            NoEvents.Instance, CancellationToken.None);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_OwnType_WritesItsParts()
    {
        var tensors = OutputFolder.Tensors(_folder["packed"]);

        Assert.Equal(14, tensors.Keys.Count(name => name.EndsWith(Steps8Recipe.Suffix, StringComparison.Ordinal)));
    }

    [Fact]
    public void Verify_OwnType_PassesAndSeesDamage()
    {
        VerificationReport report = Verify();
        Assert.True(report.Passed);
        Assert.Equal(14, report.Layers.Count);
        Assert.All(report.Layers, layer => Assert.InRange(layer.Weight.RelativeRmse, 0.001, 0.02));

        string file = Directory.EnumerateFiles(_folder["packed"], "*.safetensors").Single();
        long offset = Bnb.Formats.Checkpoints.Checkpoint.Open(_folder["packed"], requireConfig: false).Tensors
            .First(tensor => tensor.Name.EndsWith("q_proj.weight", StringComparison.Ordinal)).FileOffset;
        using (var stream = File.OpenWrite(file))
        {
            stream.Position = offset + 5;
            stream.WriteByte(0x81);
        }

        VerificationReport damaged = Verify();
        Assert.False(damaged.Passed);
        Assert.Equal(5, damaged.Layers.Single(layer => !layer.Passed).Faithfulness.FirstDifference);
    }

    [Fact]
    public void Dequantize_OwnType_GivesTheValuesBack()
    {
        DequantizeRun.Execute(
            new DequantizeRequest { SourcePath = _folder["packed"], OutputPath = _folder["back"] }, NoEvents.Instance, CancellationToken.None);

        var before = OutputFolder.Tensors(_folder["source"]);
        var after = OutputFolder.Tensors(_folder["back"]);
        Assert.Equal(before.Keys.Order(StringComparer.Ordinal), after.Keys.Order(StringComparer.Ordinal));
        Assert.All(after, tensor => Assert.Equal(before[tensor.Key].Info.Shape, tensor.Value.Info.Shape));
    }

    private VerificationReport Verify() => VerifyRun.Execute(
        new VerifyRequest { QuantizedPath = _folder["packed"], SourcePath = _folder["source"] }, NoEvents.Instance, CancellationToken.None);
}
