using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>Every damage to the numbers fails, is named, and is found where it is.</summary>
public sealed class DamageTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _source;

    public DamageTests() => _source = VerifyModel.Source(_folder["source"]);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("true", "64", 5000)]
    [InlineData("false", "64", 16383)]
    [InlineData("true", "4096", 4097)]
    [InlineData("false", "32", 0)]
    public void Verify_OneCodeFlipped_IsCountedAndFound(string twice, string blocksize, int index)
    {
        Verification done = AfterPatch(VerifyModel.Query, data => data[index / 2] ^= (byte)(index % 2 == 0 ? 0x80 : 0x08), twice, blocksize);

        done.AssertOnlyFailed(VerifyModel.Query);
        Assert.Equal(["code-diffs"], done.Failures(VerifyModel.Query));
        Assert.Equal((1, 0), done.Differing(VerifyModel.Query));
        Assert.Equal((1, index), (done.Count(VerifyModel.Query, "blocks_differing"), done.Count(VerifyModel.Query, "first_difference")));
        Assert.Equal("damaged", done.Cause(VerifyModel.Query));
        Assert.Equal(1, done.Report.GetProperty("codes_differing").GetInt64());
        Assert.Contains("1 of 16,384 codes differ in 1 blocks", done.Findings(VerifyModel.Query)[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_OneCodeFlippedInTheOnlyBlock_IsDamageAndNoOtherModel()
    {
        string source = CheckpointBuilder.SingleFile(_folder["small"], [NormalWeights.Of(VerifyModel.Query, "BF16", 1, 32, 128)]);
        VerifyModel.Quantize(source, _folder["out"], "--block-size", "4096");
        VerifyModel.Patched(_folder["out"], _folder["bad"], VerifyModel.Query, data => data[100] ^= 0x80);

        Assert.Equal("damaged", Verification.Failing(_folder["bad"], source).Cause(VerifyModel.Query));
    }

    [Theory]
    [InlineData("true", ".absmax")]
    [InlineData("false", ".absmax")]
    [InlineData("true", ".nested_absmax")]
    public void Verify_OneScaleChanged_IsCountedAsDamage(string twice, string part)
    {
        Verification done = AfterPatch(VerifyModel.Up + part, data => data[part == ".absmax" && twice == "true" ? 17 : 2] ^= 0x40, twice);

        done.AssertOnlyFailed(VerifyModel.Up);
        Assert.Contains("absmax-diffs", done.Failures(VerifyModel.Up));
        Assert.DoesNotContain("code-diffs", done.Failures(VerifyModel.Up));
        Assert.Equal((0, 1), done.Differing(VerifyModel.Up));
        Assert.Equal("damaged", done.Cause(VerifyModel.Up));
    }

    [Fact]
    public void Verify_ScaleThatIsNaN_FailsEvenWhereDifferencesAreAllowed()
    {
        VerifyModel.Quantize(_source, _folder["out"], "--double-quant", "false");
        VerifyModel.Patched(_folder["out"], _folder["bad"], VerifyModel.Up + ".absmax", data => BitConverter.TryWriteBytes(data, float.NaN));

        Verification done = Verification.Failing(_folder["bad"], _source, "--max-code-diffs", "1000", "--tokens", "0");

        done.AssertOnlyFailed(VerifyModel.Up);
        Assert.Equal(["rel-error"], done.Failures(VerifyModel.Up));
    }

    [Fact]
    public void Verify_AllScalesOnePercentLarger_IsAScaleRule()
    {
        Verification done = AfterPatch(VerifyModel.Down + ".absmax", data => VerifyModel.Scale(data, 1.01f), "false");

        done.AssertOnlyFailed(VerifyModel.Down);
        Assert.Equal((0, 128 * 192 / 64), done.Differing(VerifyModel.Down));
        Assert.Equal("scale-rule", done.Cause(VerifyModel.Down));
    }

    [Theory]
    [InlineData(1e-3)]
    [InlineData(-1e-5)]
    public void Verify_NestedOffsetOff_IsNamed(double off)
    {
        VerifyModel.Quantize(_source, _folder["out"]);
        VerifyModel.WithState(_folder["out"], _folder["bad"], VerifyModel.Key, state => state["nested_offset"] = (float)(state["nested_offset"]!.GetValue<double>() + off));

        Verification done = Verification.Failing(_folder["bad"], _source);

        done.AssertOnlyFailed(VerifyModel.Key);
        Assert.Contains("absmax-diffs", done.Failures(VerifyModel.Key));
        Assert.Equal("nested-offset", done.Cause(VerifyModel.Key));
        Assert.Contains(done.Findings(VerifyModel.Key), finding => finding.Text.StartsWith("nested_offset is ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(VerifyModel.Query, 128, 128)]
    [InlineData(VerifyModel.Up, 192, 128)]
    public void Verify_MadeFromTheTransposedWeights_IsNamed(string name, int rows, int columns)
    {
        // Same shape, other order: the quant_state of the right one, the codes of the other.
        VerifyModel.Quantize(_source, _folder["right"]);
        string turned = VerifyModel.Replaced(_source, _folder["turned"], name, tensor => tensor with { Data = Transposed(tensor.Data, rows, columns) });
        VerifyModel.Quantize(turned, _folder["bad"]);

        Verification done = Verification.Failing(_folder["bad"], _source);

        done.AssertOnlyFailed(name);
        Assert.Equal("transposed", done.Cause(name));
        Assert.Superset(new HashSet<string> { "code-diffs", "rel-error" }, done.Failures(name).ToHashSet());
    }

    [Fact]
    public void Verify_StoredAsTheOtherShape_IsAStructureFault()
    {
        string turned = VerifyModel.Replaced(
            _source, _folder["turned"], VerifyModel.Up, tensor => tensor with { Shape = [128, 192], Data = Transposed(tensor.Data, 192, 128) });
        VerifyModel.Quantize(turned, _folder["bad"]);

        Verification done = Verification.Failing(_folder["bad"], _source);

        Assert.Equal(["structure"], done.Failures());
        Assert.Contains(done.Findings(), finding => finding.Text.Contains($"{VerifyModel.Up} is stored transposed", StringComparison.Ordinal));
        Assert.Equal((0, 0), done.Differing(VerifyModel.Up));
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public void Verify_OtherModel_IsNamedInEveryLayer(string twice)
    {
        string other = VerifyModel.Source(_folder["other"], seed: 100);
        VerifyModel.Quantize(other, _folder["out"], "--double-quant", twice);

        Verification done = Verification.Failing(_folder["out"], _source);

        Assert.All(done.LayerNames, name => Assert.Equal("wrong-source", done.Cause(name)));
        Assert.All(done.LayerNames, name => Assert.InRange(done.Count(name, "codes_differing"), done.Count(name, "codes") * 8 / 10, done.Count(name, "codes")));
        Assert.All(done.LayerNames, name => Assert.InRange(done.Weight(name, "relative_rmse"), 1.2, 1.6));
        Assert.Equal(["plain-diff"], done.Failures());
        Assert.Equal(3, done.Report.GetProperty("plain_differing").GetInt32());
    }

    [Fact]
    public void Verify_PlainTensorChanged_IsNamed()
    {
        Verification done = AfterPatch(VerifyModel.Norm, data => data[200] ^= 1);

        Assert.Equal(["plain-diff"], done.Failures());
        Assert.Contains(VerifyModel.Norm, Assert.Single(done.Findings(), finding => finding.Fails).Text, StringComparison.Ordinal);
        Assert.All(done.Layers, layer => Assert.True(layer.GetProperty("passed").GetBoolean()));
        Assert.Equal((3, 1), (done.Report.GetProperty("plain_tensors").GetInt32(), done.Report.GetProperty("plain_differing").GetInt32()));
    }

    private Verification AfterPatch(string tensor, Action<byte[]> change, string twice = "true", string blocksize = "64")
    {
        VerifyModel.Quantize(_source, _folder["out"], "--double-quant", twice, "--block-size", blocksize);
        VerifyModel.Patched(_folder["out"], _folder["bad"], tensor, change);
        return Verification.Failing(_folder["bad"], _source);
    }

    private static byte[] Transposed(byte[] data, int rows, int columns)
    {
        byte[] turned = new byte[data.Length];
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                data.AsSpan(((row * columns) + column) * 2, 2).CopyTo(turned.AsSpan(((column * rows) + row) * 2));
        return turned;
    }
}
