using System.Security.Cryptography;
using System.Text.Json;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Sources;

/// <summary><c>dequantize</c> of FP8, FP4, GPTQ and AWQ gives the values that their own libraries do.</summary>
public sealed class DequantizeSourceTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string, string, string> Sources => new()
    {
        { "fp8_block", "tensors.safetensors", "expected.safetensors", "" },
        { "fp8_block/compressed_tensors", "tensors.safetensors", "expected.safetensors", "" },
        { "fp8_channel", "tensors.safetensors", "expected.safetensors", "" },
        { "fp8_tensor", "tensors.safetensors", "expected.safetensors", "" },
        { "fp8_tensor/autofp8", "model.safetensors", "expected/model.safetensors", "" },
        { "mxfp4", "tensors.safetensors", "expected.safetensors", "" },
        { "mxfp4/compressed_tensors", "tensors.safetensors", "expected.safetensors", "" },
        { "nvfp4/compressed_tensors", "tensors.safetensors", "expected.safetensors", "" },
        { "nvfp4/modelopt", "tensors_by_modelopt.safetensors", "expected_by_modelopt.safetensors", "" },
        { "gptq_awq/gptq", "tensors.safetensors", "expected.safetensors", ".f16" },
        { "gptq_awq/awq", "tensors.safetensors", "expected.safetensors", ".f16" },
    };

    [Theory]
    [MemberData(nameof(Sources))]
    public void Dequantize_Source_GivesTheLibrarysValues(string from, string file, string expected, string ending)
    {
        string source = GoldenSource.Copy(_folder, "source", from, file);

        // Two chunks and more of most tensors, cut within their rows.
        ToolRun.Succeed("dequantize", source, "--output", _folder["out"]);

        AssertValues(GoldenTensors.Load("sources", Path.Combine(from, expected)), ending, skip: name => name == "gptq_v2.weight");
    }

    [Theory]
    [InlineData("\"checkpoint_format\": \"gptq_v2\"")]
    [InlineData("\"format\": \"gptq_v2\"")]
    [InlineData("\"format\": \"gptq\", \"checkpoint_format\": \"GPTQ_v2\"")]
    public void Dequantize_GptqOfTheSecondVersion_ReadsZeroPointsAsStored(string format)
    {
        string source = GoldenSource.Copy(
            _folder, "source", "gptq_awq/gptq", config: "{\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 128, " + format + "}}");

        ToolRun.Succeed("dequantize", source, "--output", _folder["out"]);

        AssertValues(
            GoldenTensors.Load("sources", "gptq_awq", "gptq", "expected.safetensors"), ".f16", skip: name => name != "gptq_v2.weight");
    }

    [Theory]
    [InlineData("gptq_awq/gptq", "float32", ".f32")]
    [InlineData("gptq_awq/awq", "float32", ".f32")]
    [InlineData("fp8_channel", "bfloat16", ".to_bf16")]
    [InlineData("fp8_tensor", "bfloat16", ".to_bf16")]
    public void Dequantize_ToAnotherType_RoundsAsAReaderWould(string from, string dtype, string ending)
    {
        string source = GoldenSource.Copy(_folder, "source", from);

        ToolRun.Succeed("dequantize", source, "--output", _folder["out"], "--dtype", dtype);

        AssertValues(GoldenTensors.Load("sources", Path.Combine(from, "expected.safetensors")), ending, skip: _ => false);
    }

    [Theory]
    [InlineData("fp8_block/deepseek_v3")]
    [InlineData("fp8_block/llama")]
    [InlineData("mxfp4/gpt_oss")]
    public void Dequantize_WholeModel_IsTheLibrarysStateDict(string from)
    {
        ToolRun.Succeed("dequantize", Golden.File("sources", from), "--output", _folder["out"]);

        var tensors = OutputFolder.Tensors(_folder["out"]);
        JsonElement expected = JsonElement.Parse(File.ReadAllText(Golden.File("sources", from, "expected.json")));
        Assert.Equal(expected.EnumerateObject().Select(entry => entry.Name).Order(StringComparer.Ordinal), tensors.Keys.Order(StringComparer.Ordinal));
        foreach (JsonProperty entry in expected.EnumerateObject())
        {
            (var info, byte[] bytes) = tensors[entry.Name];
            Assert.Equal(entry.Value[0].GetString(), info.DType.Name());
            Assert.Equal(entry.Value[1].EnumerateArray().Select(item => item.GetInt64()), info.Shape.Dimensions);
            Assert.Equal(entry.Value[2].GetString(), Convert.ToHexStringLower(SHA256.HashData(bytes)));
        }

        Assert.Null(Checkpoint.Open(_folder["out"], requireConfig: true).Config!.QuantMethod);
    }

    private void AssertValues(GoldenTensors golden, string ending, Func<string, bool> skip)
    {
        var actual = OutputFolder.Tensors(_folder["out"]);
        int compared = 0;
        foreach (string name in golden.Names.Where(name => name.EndsWith(ending, StringComparison.Ordinal)))
        {
            string plain = name[..^ending.Length];
            if (skip(plain) || !actual.TryGetValue(plain, out var found)) continue;
            Assert.Equal(golden.Dtype(name), found.Info.DType.Name());
            Assert.Equal(golden.Shape(name), found.Info.Shape.Dimensions);
            GoldenSource.AssertSame(golden.Dtype(name), golden.Bytes(name), found.Bytes, name);
            compared++;
        }

        Assert.True(compared > 0);
        if (ending.Length == 0) Assert.All(actual.Keys, name => Assert.Contains(name, golden.Names));
    }
}
