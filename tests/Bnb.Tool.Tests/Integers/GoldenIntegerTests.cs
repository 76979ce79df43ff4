using System.Text.Json;
using Bnb.Formats.Primitives;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Integers;

/// <summary>What bitsandbytes and compressed-tensors wrote themselves is what <c>quantize</c> and <c>dequantize</c> give.</summary>
public sealed class GoldenIntegerTests : IDisposable
{
    private const string Module = "model.layers.0.mlp.up_proj";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, bool, int> Int4Files()
    {
        var files = new TheoryData<string, bool, int>();
        foreach (JsonElement row in JsonDocument.Parse(File.ReadAllBytes(Golden.File("int4", "int4_cases.json"))).RootElement.EnumerateArray())
            files.Add(row.GetProperty("file").GetString()!, row.GetProperty("symmetric").GetBoolean(), row.GetProperty("group_size").GetInt32());
        return files;
    }

    [Fact]
    public void Quantize_TinyLlamaInt8_EqualsBitsandbytesToTheByte()
    {
        ToolRun.Succeed("quantize", Golden.File("tiny-llama", "source"), "--output", _folder["out"], "--type", "int8");

        OutputContract.AssertHolds(_folder["out"]);
        AssertSameTensors(OutputFolder.Tensors(Golden.File("tiny-llama", "int8", "model.safetensors")), OutputFolder.Tensors(_folder["out"]));
    }

    /// <summary>The member as transformers writes it, read by a parser that is not ours; 6.0 keeps its point, since readers check.</summary>
    [Fact]
    public void Quantize_TinyLlamaInt8_ConfigIsTransformers()
    {
        ToolRun.Succeed("quantize", Golden.File("tiny-llama", "source"), "--output", _folder["out"], "--type", "int8");

        string text = File.ReadAllText(_folder["out", "config.json"]);
        AssertOnlyAdded(Golden.File("tiny-llama", "source", "config.json"), text, """
            {
              "_load_in_4bit": false,
              "_load_in_8bit": true,
              "bnb_4bit_compute_dtype": "float32",
              "bnb_4bit_quant_storage": "uint8",
              "bnb_4bit_quant_type": "fp4",
              "bnb_4bit_use_double_quant": false,
              "llm_int8_enable_fp32_cpu_offload": false,
              "llm_int8_has_fp16_weight": false,
              "llm_int8_skip_modules": ["classifier", "lm_head", "qa_outputs", "score"],
              "llm_int8_threshold": 6.0,
              "load_in_4bit": false,
              "load_in_8bit": true,
              "quant_method": "bitsandbytes"
            }
            """);
        Assert.Contains("\"llm_int8_threshold\": 6.0,", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0", "0.0")]
    [InlineData("4", "4.0")]
    [InlineData("5.25", "5.25")]
    [InlineData("1e3", "1000.0")]
    public void Quantize_Int8Threshold_ChangesTheConfigAndNoTensor(string threshold, string written)
    {
        ToolRun.Succeed("quantize", Golden.File("tiny-llama", "source"), "--output", _folder["out"], "--type", "int8", "--int8-threshold", threshold);

        AssertSameTensors(OutputFolder.Tensors(Golden.File("tiny-llama", "int8", "model.safetensors")), OutputFolder.Tensors(_folder["out"]));
        Assert.Contains($"\"llm_int8_threshold\": {written},", File.ReadAllText(_folder["out", "config.json"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("float32")]
    [InlineData("float16")]
    [InlineData("bfloat16")]
    public void Quantize_GoldenInt8Case_EqualsTheLibrary(string dtype)
    {
        GoldenTensors golden = GoldenTensors.Load($"int8_{dtype}_40x96.safetensors");

        ToolRun.Succeed("quantize", Source(golden), "--output", _folder["out"], "--type", "int8");

        var output = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal([$"{Module}.SCB", $"{Module}.weight", $"{Module}.weight_format"], output.Keys.Order(StringComparer.Ordinal));
        AssertEqual(golden, "int8", output[$"{Module}.weight"]);
        AssertEqual(golden, "SCB", output[$"{Module}.SCB"]);
        (TensorInfo format, byte[] value) = output[$"{Module}.weight_format"];
        Assert.Equal((DType.U8, 0), (format.DType, format.Shape.Rank));
        Assert.Equal([0], value);
    }

    [Theory]
    [MemberData(nameof(Int4Files))]
    public void Quantize_GoldenInt4Case_EqualsTheLibraryToTheByte(string file, bool symmetric, int groupSize)
    {
        GoldenTensors golden = GoldenTensors.Load("int4", file);

        ToolRun.Succeed(["quantize", Source(golden), "--output", _folder["out"], .. Options(symmetric, groupSize)]);

        var output = OutputFolder.Tensors(_folder["out"]);
        string[] parts = symmetric ? ["weight_packed", "weight_scale", "weight_shape"] : ["weight_packed", "weight_scale", "weight_shape", "weight_zero_point"];
        Assert.Equal(parts.Select(part => $"{Module}.{part}"), output.Keys.Order(StringComparer.Ordinal));
        foreach (string part in parts) AssertEqual(golden, part, output[$"{Module}.{part}"]);
        AssertInt4Config(symmetric, groupSize);
    }

    [Theory]
    [MemberData(nameof(Int4Files))]
    public void Dequantize_GoldenInt4Case_GivesTheLibrarysValues(string file, bool symmetric, int groupSize)
    {
        GoldenTensors golden = GoldenTensors.Load("int4", file);
        string[] parts = symmetric ? ["weight_packed", "weight_scale", "weight_shape"] : ["weight_packed", "weight_scale", "weight_shape", "weight_zero_point"];
        CheckpointBuilder.SingleFile(
            _folder["source"],
            parts.Select(part => new TestTensor($"{Module}.{part}", golden.Dtype(part), golden.Shape(part), golden.Bytes(part))),
            HandGroups4.Config(groupSize, symmetric));

        ToolRun.Succeed("dequantize", _folder["source"], "--output", _folder["out"]);

        AssertEqual(golden, "decompressed", Assert.Single(OutputFolder.Tensors(_folder["out"])).Value);
        Assert.DoesNotContain("quantization_config", File.ReadAllText(_folder["out", "config.json"]), StringComparison.Ordinal);
    }

    /// <summary>A single file says nothing of the model's dtype: float16 then, which the library rounds to first.</summary>
    [Theory]
    [InlineData(null, "F16")]
    [InlineData("bfloat16", "BF16")]
    public void Dequantize_GoldenInt8Model_IsWithinHalfAStepOfTheSource(string? asked, string expected)
    {
        ToolRun.Succeed(["dequantize", Golden.File("tiny-llama", "int8", "model.safetensors"), "--output", _folder["out"], .. asked is null ? Array.Empty<string>() : ["--dtype", asked]]);

        var source = OutputFolder.Tensors(Golden.File("tiny-llama", "source"));
        var golden = OutputFolder.Tensors(Golden.File("tiny-llama", "int8", "model.safetensors"));
        var back = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal(source.Keys.Order(StringComparer.Ordinal), back.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, (TensorInfo info, byte[] bytes)) in source)
        {
            Assert.Equal(info.Shape, back[name].Info.Shape);
            if (!golden.TryGetValue(name.Replace(".weight", ".SCB", StringComparison.Ordinal), out var scb))
            {
                Assert.Equal(bytes, back[name].Bytes);
                continue;
            }

            Assert.Equal(expected, back[name].Info.DType.Name());
            float[] before = Stored.Values(info.DType.Name(), bytes), after = Stored.Values(expected, back[name].Bytes), absmax = Stored.Values("F32", scb.Bytes);
            int columns = (int)info.Shape[1];
            // Half a step, and half a unit of the roundings to float16 and to the output.
            double slack = expected == "BF16" ? 1 / 256.0 : 1 / 2048.0;
            for (int i = 0; i < before.Length; i++)
                Assert.InRange(Math.Abs((double)after[i] - before[i]), 0, (absmax[i / columns] / 254 * 1.0001) + (Math.Abs(before[i]) * slack * 2) + 1e-7);
        }
    }

    [Theory]
    [InlineData("32")]
    [InlineData("64")]
    [InlineData("128")]
    public void Quantize_TinyLlamaInt4_PacksEveryLinearLayerOfWholeGroups(string groupSize)
    {
        // Down projections have 688 = 21.5 * 32 columns: no whole groups of any size.
        string source = Golden.File("tiny-llama", "source");
        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--type", "int4", "--group-size", groupSize);

        OutputContract.AssertHolds(_folder["out"]);
        var output = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal(12, output.Keys.Count(name => name.EndsWith("weight_packed", StringComparison.Ordinal)));
        foreach ((string name, var tensor) in OutputFolder.Tensors(source))
        {
            if (output.TryGetValue(name, out var kept)) Assert.Equal(tensor.Bytes, kept.Bytes);
            else Assert.Contains(name + "_packed", output.Keys);
        }
    }

    private string Source(GoldenTensors golden) =>
        CheckpointBuilder.SingleFile(_folder["source"], [new TestTensor($"{Module}.weight", golden.Dtype("A"), golden.Shape("A"), golden.Bytes("A"))]);

    private static string[] Options(bool symmetric, int groupSize) =>
        ["--type", "int4", "--symmetric", symmetric ? "true" : "false", "--group-size", $"{groupSize}"];

    private void AssertInt4Config(bool symmetric, int groupSize) => AssertOnlyAdded(_folder["source", "config.json"], File.ReadAllText(_folder["out", "config.json"]), $$"""
        {
          "config_groups": {
            "group_0": {
              "input_activations": null,
              "output_activations": null,
              "targets": ["Linear"],
              "weights": {
                "actorder": null,
                "block_structure": null,
                "dynamic": false,
                "group_size": {{groupSize}},
                "num_bits": 4,
                "observer": "minmax",
                "observer_kwargs": {},
                "strategy": "group",
                "symmetric": {{(symmetric ? "true" : "false")}},
                "type": "int"
              }
            }
          },
          "format": "pack-quantized",
          "global_compression_ratio": null,
          "ignore": ["classifier", "lm_head", "qa_outputs", "score"],
          "kv_cache_scheme": null,
          "quant_method": "compressed-tensors",
          "quantization_status": "compressed"
        }
        """);

    /// <summary>All members of before as they were, in their order, and then the new one.</summary>
    private static void AssertOnlyAdded(string before, string after, string quantizationConfig)
    {
        Assert.StartsWith(File.ReadAllText(before).TrimEnd().TrimEnd('}').TrimEnd(), after, StringComparison.Ordinal);
        JsonElement added = JsonElement.Parse(after).GetProperty("quantization_config");
        Assert.True(JsonElement.DeepEquals(JsonElement.Parse(quantizationConfig), added), added.GetRawText());
    }

    private static void AssertEqual(GoldenTensors golden, string name, (TensorInfo Info, byte[] Bytes) actual)
    {
        Assert.Equal((golden.Dtype(name), TensorShape.Of(golden.Shape(name))), (actual.Info.DType.Name(), actual.Info.Shape));
        byte[] expected = golden.Bytes(name);
        Assert.True(expected.AsSpan().SequenceEqual(actual.Bytes), $"{name} differs, first at {expected.AsSpan().CommonPrefixLength(actual.Bytes)}");
    }

    private static void AssertSameTensors(
        Dictionary<string, (TensorInfo Info, byte[] Bytes)> golden, Dictionary<string, (TensorInfo Info, byte[] Bytes)> ours)
    {
        Assert.Equal(golden.Keys.Order(StringComparer.Ordinal), ours.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, (TensorInfo info, byte[] bytes)) in golden)
        {
            Assert.Equal((name, info.DType, info.Shape), (name, ours[name].Info.DType, ours[name].Info.Shape));
            Assert.True(bytes.AsSpan().SequenceEqual(ours[name].Bytes), $"{name} differs, first at {bytes.AsSpan().CommonPrefixLength(ours[name].Bytes)}");
        }
    }
}
