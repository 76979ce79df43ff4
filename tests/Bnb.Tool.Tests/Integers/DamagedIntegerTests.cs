using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;
using Verified = Bnb.Tool.Tests.Verify.Verification;

namespace Bnb.Tool.Tests.Integers;

/// <summary>Every damage to int8 and int4 weights fails <c>verify</c>, is named, and is found where it is.</summary>
public sealed class DamagedIntegerTests : IDisposable
{
    private static readonly string UpModule = VerifyModel.Up[..^".weight".Length];
    private static readonly string QueryModule = VerifyModel.Query[..^".weight".Length];

    private readonly TempFolder _folder = new();
    private readonly string _source;

    public DamagedIntegerTests() => _source = VerifyModel.Source(_folder["source"]);

    public static TheoryData<string> Recipes => ["int8", "int4", "int4-zero"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("int8", 5000)]
    [InlineData("int8", 0)]
    [InlineData("int4", 5000)]
    [InlineData("int4", 16383)]
    [InlineData("int4-zero", 4097)]
    public void Verify_OneCodeChanged_IsCountedAndFound(string recipe, int index)
    {
        Verified done = recipe == "int8"
            ? AfterPatch(recipe, VerifyModel.Query, data => data[index] ^= 0x20)
            : AfterPatch(recipe, QueryModule + ".weight_packed", data => data[index / 2] ^= (byte)(index % 2 == 0 ? 0x04 : 0x40));

        done.AssertOnlyFailed(VerifyModel.Query);
        Assert.Equal(["code-diffs"], done.Failures(VerifyModel.Query));
        Assert.Equal((1, 0), done.Differing(VerifyModel.Query));
        Assert.Equal((1, index), (done.Count(VerifyModel.Query, "blocks_differing"), done.Count(VerifyModel.Query, "first_difference")));
        Assert.Equal("damaged", done.Cause(VerifyModel.Query));
    }

    /// <summary>Only at a tie may a code be the next one, and none of these is there.</summary>
    [Fact]
    public void Verify_Int8CodesOffByOne_AreNotExcused()
    {
        Verified done = AfterPatch("int8", VerifyModel.Query, data =>
        {
            for (int i = 7; i < data.Length; i += 1000) data[i] = (byte)(data[i] == 127 ? 126 : data[i] + 1);
        });

        done.AssertOnlyFailed(VerifyModel.Query);
        Assert.Equal((17, 7), (done.Differing(VerifyModel.Query).Codes, done.Count(VerifyModel.Query, "first_difference")));
        Assert.Equal("damaged", done.Cause(VerifyModel.Query));
    }

    /// <summary>With absmax 127 a value is its own code: halves lie between two, and another GPU's division may take either.</summary>
    [Theory]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public void Verify_Int8CodeNextToATie_IsExcusedAndAnyOtherIsNot(int index, bool excused)
    {
        float[] values = [127, -3, 2.5f, 2.25f, 0, 7, 9, -9];
        string source = CheckpointBuilder.SingleFile(_folder["tie"], [new TestTensor(VerifyModel.Query, "F16", [1, 8], Stored.Bytes("F16", values))]);
        VerifyModel.Quantize(source, _folder["out"], "--type", "int8");
        VerifyModel.Patched(_folder["out"], _folder["next"], VerifyModel.Query, data => data[index]++);

        Verified done = Verified.Of(_folder["next"], source, "--tokens", "0", "--max-rel-error", "1");

        Assert.Equal(excused, done.Layer(VerifyModel.Query).GetProperty("passed").GetBoolean());
        Assert.Equal((excused ? 0 : 1, excused ? 1 : 0), (done.Count(VerifyModel.Query, "codes_differing"), done.Count(VerifyModel.Query, "codes_excused")));
    }

    [Fact]
    public void Verify_AllInt4CodesOneLower_IsARuleOfRounding()
    {
        Verified done = AfterPatch("int4", UpModule + ".weight_packed", data =>
        {
            for (int i = 0; i < data.Length; i++)
            {
                if (data[i] % 16 > 0) data[i]--;
            }
        });

        done.AssertOnlyFailed(VerifyModel.Up);
        Assert.Equal("scale-rule", done.Cause(VerifyModel.Up));
    }

    [Theory]
    [InlineData("int8", ".SCB", 4 * 17 + 2, 0x40)]
    [InlineData("int8", ".SCB", 4 * 191, 0x01)]
    [InlineData("int4", ".weight_scale", 2 * 100, 0x01)]
    [InlineData("int4-zero", ".weight_scale", 1, 0x40)]
    [InlineData("int4-zero", ".weight_zero_point", 0, 0x01)]
    [InlineData("int4-zero", ".weight_zero_point", 191, 0x30)]
    public void Verify_OneScaleOrZeroPointChanged_IsCountedAsDamage(string recipe, string part, int at, byte flip)
    {
        Verified done = AfterPatch(recipe, UpModule + part, data => data[at] ^= flip);

        done.AssertOnlyFailed(VerifyModel.Up);
        Assert.Contains("absmax-diffs", done.Failures(VerifyModel.Up));
        Assert.DoesNotContain("code-diffs", done.Failures(VerifyModel.Up));
        Assert.Equal((0, 1), done.Differing(VerifyModel.Up));
        Assert.Equal("damaged", done.Cause(VerifyModel.Up));
    }

    [Theory]
    [InlineData("int8", ".SCB", 4)]
    [InlineData("int4", ".weight_scale", 2)]
    public void Verify_ScaleThatIsNaN_FailsEvenWhereDifferencesAreAllowed(string recipe, string part, int size)
    {
        Quantize(recipe, _source, _folder["out"]);
        VerifyModel.Patched(_folder["out"], _folder["bad"], UpModule + part, data => data.AsSpan(0, size).Fill(0x7F));
        if (size == 2) VerifyModel.Patched(_folder["bad"], _folder["bad"], UpModule + part, data => data[0] = 0xFF);
        else VerifyModel.Patched(_folder["bad"], _folder["bad"], UpModule + part, data => data[2] = 0xFF);

        Verified done = Verified.Failing(_folder["bad"], _source, "--max-code-diffs", "1000", "--tokens", "0");

        done.AssertOnlyFailed(VerifyModel.Up);
        Assert.Equal(["rel-error"], done.Failures(VerifyModel.Up));
    }

    [Fact]
    public void Verify_AllScalesOnePercentLarger_IsAScaleRule()
    {
        Verified done = AfterPatch("int8", UpModule + ".SCB", data => VerifyModel.Scale(data, 1.01f));

        done.AssertOnlyFailed(VerifyModel.Up);
        Assert.Equal((0, 192), done.Differing(VerifyModel.Up));
        Assert.Equal("scale-rule", done.Cause(VerifyModel.Up));
    }

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Verify_OtherModel_IsNamedInEveryLayer(string recipe)
    {
        Quantize(recipe, VerifyModel.Source(_folder["other"], seed: 100), _folder["out"]);

        Verified done = Verified.Failing(_folder["out"], _source);

        Assert.All(done.LayerNames, name => Assert.Equal("wrong-source", done.Cause(name)));
        Assert.All(done.LayerNames, name => Assert.InRange(done.Weight(name, "relative_rmse"), 1.2, 1.6));
        Assert.Equal(["plain-diff"], done.Failures());
    }

    [Theory]
    [InlineData("int8", VerifyModel.Query, 128, 128)]
    [InlineData("int8", VerifyModel.Up, 192, 128)]
    [InlineData("int4", VerifyModel.Query, 128, 128)]
    [InlineData("int4-zero", VerifyModel.Up, 192, 128)]
    public void Verify_MadeFromTheTransposedWeights_IsNamed(string recipe, string name, int rows, int columns)
    {
        string turned = VerifyModel.Replaced(_source, _folder["turned"], name, tensor => tensor with { Data = Transposed(tensor.Data, rows, columns) });
        Quantize(recipe, turned, _folder["bad"]);

        Verified done = Verified.Failing(_folder["bad"], _source);

        done.AssertOnlyFailed(name);
        Assert.Equal("transposed", done.Cause(name));
    }

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Verify_StoredAsTheOtherShape_IsAStructureFault(string recipe)
    {
        string turned = VerifyModel.Replaced(
            _source, _folder["turned"], VerifyModel.Up, tensor => tensor with { Shape = [128, 192], Data = Transposed(tensor.Data, 192, 128) });
        Quantize(recipe, turned, _folder["bad"]);

        Verified done = Verified.Failing(_folder["bad"], _source);

        Assert.Equal(["structure"], done.Failures());
        Assert.Contains(done.Findings(), finding => finding.Text.Contains($"{VerifyModel.Up} is stored transposed", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Verify_LayerMissing_IsAStructureFault(string recipe)
    {
        Quantize(recipe, _source, _folder["good"]);
        VerifyModel.Changed(_folder["good"], _folder["bad"], tensors => tensors.Where(tensor => !tensor.Name.StartsWith(UpModule, StringComparison.Ordinal)));

        Verified done = Verified.Failing(_folder["bad"], _source);

        Assert.Equal(["structure"], done.Failures());
        Assert.Contains(done.Findings(), finding => finding.Text.Contains($"{VerifyModel.Up} of the source is missing", StringComparison.Ordinal));
    }

    // Random codes under scales of another dtype: both ways to such scales are tried, and neither gives them.
    [Theory]
    [InlineData("F16")]
    [InlineData("F32")]
    public void Verify_RandomCodesUnderScalesOfAnotherDType_Fail(string dtype)
    {
        Quantize("int4", _source, _folder["good"]);
        var packed = new HandGroups4 { Path = UpModule, Rows = 192, Columns = 128, DType = dtype };
        VerifyModel.Changed(
            _folder["good"], _folder["bad"], tensors => [.. tensors.Where(tensor => !tensor.Name.StartsWith(UpModule, StringComparison.Ordinal)), .. packed.Tensors()]);

        Verified.Failing(_folder["bad"], _source).AssertOnlyFailed(VerifyModel.Up);
    }

    private static void Quantize(string recipe, string source, string output) => VerifyModel.Quantize(source, output, recipe switch
    {
        "int8" => ["--type", "int8"],
        "int4" => ["--type", "int4", "--group-size", "64"],
        _ => ["--type", "int4", "--group-size", "64", "--symmetric", "false"],
    });

    private Verified AfterPatch(string recipe, string tensor, Action<byte[]> change)
    {
        Quantize(recipe, _source, _folder["out"]);
        VerifyModel.Patched(_folder["out"], _folder["bad"], tensor, change);
        return Verified.Failing(_folder["bad"], _source);
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
