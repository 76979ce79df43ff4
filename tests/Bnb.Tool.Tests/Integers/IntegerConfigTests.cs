using Bnb.Formats.Primitives;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;
using Verified = Bnb.Tool.Tests.Verify.Verification;

namespace Bnb.Tool.Tests.Integers;

/// <summary>A config.json that says other than the int8 or int4 tensors: loaders go by it, so <c>verify</c> fails.</summary>
public sealed class IntegerConfigTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _source;

    public IntegerConfigTests() => _source = VerifyModel.Source(_folder["source"]);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("\"load_in_8bit\": true,\n", "\"load_in_8bit\": false,\n", "load_in_8bit is not true, tensors are 8-bit")]
    [InlineData("\"llm_int8_threshold\": 6.0", "\"llm_int8_threshold\": 6", "llm_int8_threshold is written without a decimal point")]
    [InlineData("\"quant_method\": \"bitsandbytes\"", "\"quant_method\": \"compressed-tensors\"", "quant_method is compressed-tensors, not bitsandbytes")]
    [InlineData("\"quantization_config\"", "\"quantisation_config\"", "no quantization_config")]
    [InlineData("\"llm_int8_skip_modules\": [", "\"llm_int8_skip_modules\": [ \"up_proj\",", "llm_int8_skip_modules skips 1 quantized modules in some loader, first model.layers.0.mlp.up_proj")]
    public void Verify_Int8ConfigThatSaysOtherThanTheTensors_IsNamed(string said, string instead, string expected) =>
        AssertNamed(["--type", "int8"], said, instead, expected);

    [Theory]
    [InlineData("\"group_size\": 64", "\"group_size\": 32", "no config group has group_size 64 and symmetric false, as tensors have")]
    [InlineData("\"symmetric\": false", "\"symmetric\": true", "no config group has group_size 64 and symmetric false, as tensors have")]
    [InlineData("\"quantization_status\": \"compressed\"", "\"quantization_status\": \"frozen\"", "quantization_status is frozen: loaders unpack only what is compressed")]
    [InlineData("\"quant_method\": \"compressed-tensors\"", "\"quant_method\": \"bitsandbytes\"", "quant_method is bitsandbytes, not compressed-tensors")]
    [InlineData("\"Linear\"", "\"Embedding\"", "4 quantized weights are the target of no config group")]
    [InlineData("\"ignore\": [", "\"ignore\": [ \"model.layers.0.mlp.up_proj\",", "ignore takes 1 quantized modules out for ")]
    [InlineData("\"ignore\": [", "\"ignore\": [ \"re:.*down_proj\",", "first model.layers.0.mlp.down_proj")]
    public void Verify_Int4ConfigThatSaysOtherThanTheTensors_IsNamed(string said, string instead, string expected) =>
        AssertNamed(["--type", "int4", "--group-size", "64", "--symmetric", "false"], said, instead, expected);

    /// <summary>Not even read as ours: the codes would be another thing.</summary>
    [Theory]
    [InlineData("\"num_bits\": 4", "\"num_bits\": 8")]
    [InlineData("\"format\": \"pack-quantized\"", "\"format\": \"int-quantized\"")]
    [InlineData("\"type\": \"int\"", "\"type\": \"float\"")]
    public void Verify_Int4ConfigOfAnotherFormat_BreaksARule(string said, string instead)
    {
        Verified done = AfterEdit(["--type", "int4", "--group-size", "64"], said, instead);

        Assert.Contains("CT0107", done.Failures());
        Assert.Empty(done.Layers);
    }

    /// <summary>Every weight is right, and no loader takes them together.</summary>
    [Theory]
    [InlineData("int8", "int4", "there are weights of bitsandbytes and of compressed-tensors: no loader takes both")]
    [InlineData("nf4", "int4", "there are weights of bitsandbytes and of compressed-tensors: no loader takes both")]
    [InlineData("nf4", "int8", "there are 4-bit and 8-bit weights: a config can only say one of them")]
    public void Verify_TwoTypesInOneCheckpoint_IsNamed(string first, string second, string expected)
    {
        VerifyModel.Quantize(_source, _folder["first"], "--type", first, "--exclude", "*.mlp.*");
        VerifyModel.Quantize(_source, _folder["second"], "--type", second, "--exclude", "*.self_attn.*");
        var others = OutputFolder.Tensors(_folder["second"]);
        string mixed = VerifyModel.Changed(_folder["first"], _folder["mixed"], tensors =>
        [
            .. tensors.Where(tensor => !tensor.Name.Contains(".mlp.", StringComparison.Ordinal)),
            .. others.Where(tensor => tensor.Key.Contains(".mlp.", StringComparison.Ordinal)).Select(tensor => new TestTensor(
                tensor.Key, tensor.Value.Info.DType.Name(), [.. tensor.Value.Info.Shape.Dimensions], tensor.Value.Bytes)),
        ]);

        Verified done = Verified.Failing(mixed, _source);

        Assert.Equal(["config"], done.Failures());
        Assert.Contains(done.Findings(), finding => finding.Fails && finding.Text == expected);
        Assert.All(done.Layers, layer => Assert.True(layer.GetProperty("passed").GetBoolean()));
        AssertDecodesAsItsParts(mixed);
    }

    [Fact]
    public void Verify_Int8ThresholdNotGiven_IsTheLibrarys() =>
        Verified.Passing(Edited(["--type", "int8"], "\"llm_int8_threshold\": 6.0,", ""), _source);

    private void AssertDecodesAsItsParts(string mixed)
    {
        foreach (string folder in (string[])[mixed, _folder["first"], _folder["second"]]) ToolRun.Succeed("dequantize", folder, "--output", folder + "-dense");
        var first = OutputFolder.Tensors(_folder["first-dense"]);
        var second = OutputFolder.Tensors(_folder["second-dense"]);
        foreach ((string name, (_, byte[] bytes)) in OutputFolder.Tensors(mixed + "-dense"))
            Assert.Equal((name.Contains(".mlp.", StringComparison.Ordinal) ? second : first)[name].Bytes, bytes);
    }

    private void AssertNamed(string[] options, string said, string instead, string expected)
    {
        Verified done = AfterEdit(options, said, instead);

        Assert.Equal(["config"], done.Failures());
        Assert.Contains(done.Findings(), finding => finding.Fails && finding.Text.Contains(expected, StringComparison.Ordinal));
        Assert.Equal(VerifyModel.Layers, done.Layers.Count);
        Assert.All(done.LayerNames, name => Assert.Equal((0, 0), done.Differing(name)));
    }

    private Verified AfterEdit(string[] options, string said, string instead) =>
        Verified.Failing(Edited(options, said, instead), _source);

    private string Edited(string[] options, string said, string instead)
    {
        string good = VerifyModel.Quantize(_source, _folder["good"], options);
        return VerifyModel.Changed(good, _folder["bad"], tensors => tensors, config =>
        {
            Assert.Contains(said, config, StringComparison.Ordinal);
            return config.Replace(said, instead, StringComparison.Ordinal);
        });
    }
}
