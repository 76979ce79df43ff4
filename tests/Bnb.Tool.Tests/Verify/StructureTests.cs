using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>What headers, quant_states and config.json already tell.</summary>
public sealed class StructureTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _source;
    private readonly string _good;

    public StructureTests()
    {
        _source = VerifyModel.Source(_folder["source"]);
        _good = VerifyModel.Quantize(_source, _folder["good"]);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Verify_LayerMissing_IsAStructureFault()
    {
        VerifyModel.Changed(_good, _folder["bad"], tensors => tensors.Where(tensor => !tensor.Name.StartsWith(VerifyModel.Key, StringComparison.Ordinal)));

        Verification done = Verification.Failing(_folder["bad"], _source);

        AssertStructure(done, $"{VerifyModel.Key} of the source is missing");
        Assert.Equal(VerifyModel.Layers - 1, done.Layers.Count);
    }

    [Fact]
    public void Verify_PlainTensorMissing_IsAStructureFault()
    {
        VerifyModel.Changed(_good, _folder["bad"], tensors => tensors.Where(tensor => tensor.Name != VerifyModel.Norm));

        AssertStructure(Verification.Failing(_folder["bad"], _source), $"{VerifyModel.Norm} of the source is missing");
    }

    [Fact]
    public void Verify_ExtraTensor_IsAStructureFault()
    {
        VerifyModel.Changed(_good, _folder["bad"], tensors => tensors.Append(TestTensor.Numbered("model.extra.bias", "BF16", 8)));

        AssertStructure(Verification.Failing(_folder["bad"], _source), "model.extra.bias is not in the source");
    }

    [Fact]
    public void Verify_QuantizedLayerThatTheSourceLacks_IsAStructureFault()
    {
        VerifyModel.Changed(_source, _folder["less"], tensors => tensors.Where(tensor => tensor.Name != VerifyModel.Up));

        AssertStructure(Verification.Failing(_good, _folder["less"]), $"{VerifyModel.Up} is not in the source");
    }

    [Fact]
    public void Verify_PlainTensorOfAnotherShape_IsAStructureFault()
    {
        VerifyModel.Replaced(_good, _folder["bad"], VerifyModel.Norm, tensor => tensor with { Shape = [64], Data = tensor.Data[..128] });

        AssertStructure(Verification.Failing(_folder["bad"], _source), VerifyModel.Norm);
    }

    [Fact]
    public void Verify_PlainTensorCast_IsARemarkOnly()
    {
        VerifyModel.Replaced(_good, _folder["cast"], VerifyModel.Norm, tensor => tensor with { DType = "F16" });

        Verification done = Verification.Passing(_folder["cast"], _source);

        Assert.Contains(done.Findings(), finding => finding is { Rule: "plain-cast", Fails: false });
        Assert.Equal(0, done.Report.GetProperty("plain_differing").GetInt32());
    }

    [Theory]
    [InlineData(".absmax", 4)]
    [InlineData(".nested_absmax", 4)]
    [InlineData(".quant_map", 4)]
    [InlineData("", 1)]
    public void Verify_PartOfAWrongShape_BreaksABnbRule(string part, int size)
    {
        VerifyModel.Replaced(_good, _folder["bad"], VerifyModel.Down + part, tensor =>
            tensor with { Shape = [tensor.Shape[0] + 1, .. tensor.Shape[1..]], Data = [.. tensor.Data, .. new byte[part == ".absmax" ? 1 : size]] });

        Verification done = Verification.Failing(_folder["bad"], _source);

        (string rule, string text, _) = Assert.Single(done.Findings(), finding => finding.Fails);
        Assert.StartsWith("BNB", rule, StringComparison.Ordinal);
        Assert.Contains(VerifyModel.Down, text, StringComparison.Ordinal);
        Assert.Equal(VerifyModel.Layers - 1, done.Layers.Count);
    }

    [Theory]
    [InlineData("\"bnb_4bit_quant_type\": \"nf4\"", "\"bnb_4bit_quant_type\": \"fp4\"", "bnb_4bit_quant_type is fp4, tensors are nf4")]
    [InlineData("\"bnb_4bit_use_double_quant\": true", "\"bnb_4bit_use_double_quant\": false", "bnb_4bit_use_double_quant is false, tensors are double-quantized")]
    [InlineData("\"quant_method\": \"bitsandbytes\"", "\"quant_method\": \"gptq\"", "quant_method is gptq")]
    [InlineData("\"quantization_config\"", "\"quantisation_config\"", "no quantization_config")]
    [InlineData("\"llm_int8_skip_modules\": [", "\"llm_int8_skip_modules\": [ \"up_proj\",", "llm_int8_skip_modules skips 1 quantized modules in some loader, first model.layers.0.mlp.up_proj")]
    public void Verify_ConfigThatSaysOtherThanTheTensors_IsNamed(string said, string instead, string expected)
    {
        VerifyModel.Changed(_good, _folder["bad"], tensors => tensors, config =>
        {
            Assert.Contains(said, config, StringComparison.Ordinal);
            return config.Replace(said, instead, StringComparison.Ordinal);
        });

        Verification done = Verification.Failing(_folder["bad"], _source);

        Assert.Equal(["config"], done.Failures());
        Assert.Contains(done.Findings(), finding => finding.Fails && finding.Text.Contains(expected, StringComparison.Ordinal));
        Assert.All(done.LayerNames, name => Assert.Equal((0, 0), done.Differing(name)));
    }

    private static void AssertStructure(Verification done, string text)
    {
        Assert.Equal(["structure"], done.Failures());
        Assert.Contains(text, Assert.Single(done.Findings(), finding => finding.Fails).Text, StringComparison.Ordinal);
        Assert.All(done.Layers, layer => Assert.True(layer.GetProperty("passed").GetBoolean()));
    }
}
