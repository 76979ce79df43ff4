using System.Globalization;
using System.Text.RegularExpressions;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Quantizing;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Recipes;

/// <summary><c>--scale search</c> through the whole tool: the same bytes on every way there, and a verify that knows the rule.</summary>
public sealed partial class ScaleSearchRunTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<KernelPath> Paths => [.. KernelPaths.Available];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("nf4")]
    [InlineData("nf4", "--double-quant", "false")]
    [InlineData("fp4", "--block-size", "128")]
    [InlineData("int8")]
    [InlineData("int4", "--group-size", "32")]
    [InlineData("int4", "--group-size", "64", "--scale-dtype", "float16")]
    public void Quantize_ScaleSearch_GivesTheSameBytesOnOneThreadAndThree(params string[] type)
    {
        string source = VerifyModel.Source(_folder["source"]);
        string[] options = ["--scale", "search", "--type", .. type];

        string one = VerifyModel.Quantize(source, _folder["one"], [.. options, "--threads", "1"]);
        string three = VerifyModel.Quantize(source, _folder["three"], [.. options, "--threads", "3", "--max-memory", "16MB"]);

        Assert.Equal(OutputFolder.Fingerprint(one), OutputFolder.Fingerprint(three));
        OutputContract.AssertHolds(one);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Quantize_ScaleSearch_GivesTheSameBytesOnAnyKernelPath(KernelPath path)
    {
        string source = VerifyModel.Source(_folder["source"]);
        string chosen = VerifyModel.Quantize(source, _folder["chosen"], "--scale", "search");
        var request = new QuantizeRequest
        {
            SourcePath = source,
            OutputPath = _folder["out"],
            KernelPath = path,
            Recipe = new Blockwise4Recipe(Code4Catalog.Nf4, 64, true, DType.U8) { Scale = ScaleRule.Search },
        };

        QuantizeRun.Execute(request, NoEvents.Instance, CancellationToken.None);

        Assert.Equal(OutputFolder.Fingerprint(chosen), OutputFolder.Fingerprint(_folder["out"]));
    }

    /// <summary>The gains that are promised for normal weights, in percent of the squared error of absmax.</summary>
    [Theory]
    [InlineData(14, "nf4")]
    [InlineData(18, "nf4", "--double-quant", "false")]
    [InlineData(10, "fp4")]
    [InlineData(12, "int4", "--group-size", "128")]
    [InlineData(0.1, "int8")]
    public void Verify_SearchedScales_PassesAndReportsTheGain(double least, params string[] type)
    {
        string source = VerifyModel.Source(_folder["source"]);
        string output = VerifyModel.Quantize(source, _folder["out"], ["--scale", "search", "--type", .. type]);

        Verify.Verification done = Verify.Verification.Passing(output, source);

        (_, string text, bool fails) = done.Findings().Single(finding => finding.Rule == "scale-search");
        double gain = double.Parse(Gain().Match(text).Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.True(gain >= least, text);
        Assert.False(fails);
        Assert.Contains("sampled blocks 0 have a better scale", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("nf4", "--double-quant", "false")]
    [InlineData("int8")]
    [InlineData("int4")]
    public void Verify_SearchedScalesUnderTheOtherRule_Fails(params string[] type)
    {
        string source = VerifyModel.Source(_folder["source"]);
        string searched = VerifyModel.Quantize(source, _folder["searched"], ["--scale", "search", "--type", .. type]);
        string plain = VerifyModel.Quantize(source, _folder["plain"], ["--type", .. type]);

        Verify.Verification.Failing(searched, source, "--scale", "absmax");
        Verify.Verification.Failing(plain, source, "--scale", "search");
    }

    [Fact]
    public void Verify_SearchedScalesWithoutManifest_NeedsTheRule()
    {
        string source = VerifyModel.Source(_folder["source"]);
        string output = VerifyModel.Quantize(source, _folder["out"], "--scale", "search", "--double-quant", "false");
        File.Delete(Path.Combine(output, "bnb-manifest.json"));

        Verify.Verification.Failing(output, source);
        Verify.Verification.Passing(output, source, "--scale", "search");
    }

    [Fact]
    public void Verify_OneScaleDoubled_FailsAlthoughTheRuleIsKnown()
    {
        string source = VerifyModel.Source(_folder["source"]);
        string output = VerifyModel.Quantize(source, _folder["out"], "--scale", "search", "--double-quant", "false");
        string damaged = VerifyModel.Patched(output, _folder["damaged"], VerifyModel.Up + ".absmax", data => VerifyModel.Scale(data, 2, 7, 1));

        Verify.Verification.Failing(damaged, source, "--scale", "search").AssertOnlyFailed(VerifyModel.Up);
    }

    [Fact]
    public void Quantize_ScaleSearchWithImportance_VerifiesOnlyWithTheSameFile()
    {
        string source = VerifyModel.Source(_folder["source"]);
        string importance = _folder["importance.safetensors"];
        File.WriteAllBytes(importance, CheckpointBuilder.Safetensors(
            Channels(VerifyModel.Query, 128), Channels(VerifyModel.Key, 128), Channels(VerifyModel.Up, 128), Channels(VerifyModel.Down, 192)));
        string[] options = ["--scale", "search", "--importance", importance];

        string output = VerifyModel.Quantize(source, _folder["out"], options);
        string plain = VerifyModel.Quantize(source, _folder["plain"], "--scale", "search");

        Assert.NotEqual(OutputFolder.Tensors(plain)[VerifyModel.Down].Bytes, OutputFolder.Tensors(output)[VerifyModel.Down].Bytes);
        Verify.Verification.Passing(output, source, options);
    }

    [Theory]
    [InlineData("--scale-dtype", "float16")]
    [InlineData("--importance", "x.safetensors")]
    [InlineData("--type", "int4", "--symmetric", "false", "--scale", "search")]
    [InlineData("--scale", "search", "--non-finite", "keep")]
    [InlineData("--scale", "best")]
    public void Quantize_OptionsThatDoNotGoTogether_AreRefused(params string[] options)
    {
        string source = VerifyModel.Source(_folder["source"]);

        ToolRun run = ToolRun.Of(["quantize", source, "--output", _folder["out"], .. options]);

        Refusal.AssertIs(run, Engine.Errors.ExitCode.Usage, "USAGE");
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    /// <summary>Channels of which every third matters a hundred times as much as the others.</summary>
    private static TestTensor Channels(string weight, int count)
    {
        float[] values = [.. Enumerable.Range(0, count).Select(i => i % 3 == 0 ? 100f + i : 1f + (i / 1000f))];
        return new TestTensor(weight, "F32", [count], System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
    }

    [GeneratedRegex(@"error is (-?[0-9.]+) ?% below")]
    private static partial Regex Gain();
}
