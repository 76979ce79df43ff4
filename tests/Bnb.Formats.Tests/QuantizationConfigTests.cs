using System.Text;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Tests;

/// <summary>The quantization_config of each method: the bytes written, and what is read of those that others wrote.</summary>
public sealed class QuantizationConfigTests
{
    /// <summary>As in a published W4A16 model, llm-compressor with compressed-tensors 0.13.1.</summary>
    private const string Published = """
        {
          "model_type": "x",
          "quantization_config": {
            "config_groups": {
              "group_0": {
                "format": "pack-quantized",
                "input_activations": null,
                "output_activations": null,
                "targets": [
                  "Linear"
                ],
                "weights": {
                  "actorder": null,
                  "block_structure": null,
                  "dynamic": false,
                  "group_size": 64,
                  "num_bits": 4,
                  "observer": "memoryless_minmax",
                  "observer_kwargs": {},
                  "scale_dtype": null,
                  "strategy": "group",
                  "symmetric": true,
                  "type": "int",
                  "zp_dtype": null
                }
              }
            },
            "format": "pack-quantized",
            "global_compression_ratio": null,
            "ignore": [
              "lm_head"
            ],
            "kv_cache_scheme": null,
            "quant_method": "compressed-tensors",
            "quantization_status": "compressed",
            "sparsity_config": {},
            "transform_config": {},
            "version": "0.13.1.a20260225"
          }
        }
        """;

    /// <summary>As transformers writes it for <c>BitsAndBytesConfig(load_in_8bit=True)</c>.</summary>
    private const string Int8 = """
        {
          "model_type": "x",
          "quantization_config": {
            "_load_in_4bit": false,
            "_load_in_8bit": true,
            "bnb_4bit_compute_dtype": "float32",
            "bnb_4bit_quant_storage": "uint8",
            "bnb_4bit_quant_type": "fp4",
            "bnb_4bit_use_double_quant": false,
            "llm_int8_enable_fp32_cpu_offload": false,
            "llm_int8_has_fp16_weight": false,
            "llm_int8_skip_modules": [
              "lm_head"
            ],
            "llm_int8_threshold": 6.0,
            "load_in_4bit": false,
            "load_in_8bit": true,
            "quant_method": "bitsandbytes"
          }
        }
        """;

    [Fact]
    public void Insert_Int8_IsWhatTransformersWrites() =>
        Assert.Equal(Int8, Insert("{\n  \"model_type\": \"x\"\n}", BnbQuantizationConfig.ForInt8(["lm_head"])));

    [Theory]
    [InlineData(6, "6.0")]
    [InlineData(5.5, "5.5")]
    [InlineData(0, "0.0")]
    [InlineData(100, "100.0")]
    [InlineData(0.1, "0.1")]
    [InlineData(1e-5, "1e-05")]
    [InlineData(1e16, "1e+16")]
    public void Insert_Threshold_IsAPythonFloat(double threshold, string text)
    {
        string edited = Insert("{}", BnbQuantizationConfig.ForInt8([], threshold));

        Assert.Contains($"\"llm_int8_threshold\": {text},", edited, StringComparison.Ordinal);
        QuantizationSettings settings = Settings(edited);
        Assert.Equal((threshold, true), (settings.Int8Threshold, settings.IsInt8ThresholdFloat));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void ForInt8_ThresholdThatIsNone_IsRefused(double threshold) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => BnbQuantizationConfig.ForInt8([], threshold));

    [Fact]
    public void Insert_CompressedTensors_HasThePublishedMembersThatEveryReleaseTakes()
    {
        // Older releases refuse these three of a group; the last three are the library's own and say nothing.
        string[] later = ["\"scale_dtype\"", "\"zp_dtype\"", "        \"format\"", "\"sparsity_config\"", "\"transform_config\"", "\"version\""];
        IEnumerable<string> expected = Published.Split('\n')
            .Where(line => !later.Any(member => line.Contains(member, StringComparison.Ordinal)))
            .Select(line => line.Replace("memoryless_minmax", "minmax", StringComparison.Ordinal).TrimEnd(','));

        string edited = Insert("{\n  \"model_type\": \"x\"\n}", new CompressedTensorsConfig(64, IsSymmetric: true, ["lm_head"]));

        Assert.Equal(expected, edited.Split('\n').Select(line => line.TrimEnd(',')));
    }

    [Fact]
    public void Insert_GroupsOfSeveralSizes_StandBeforeTheClass()
    {
        var config = new CompressedTensorsConfig(128, IsSymmetric: true, []) { Others = [new(32, ["a.b", "re:c$"]), new(64, ["d"])] };

        QuantizationSettings settings = ModelConfig.Parse(System.Text.Encoding.UTF8.GetBytes(Insert("{\"a\":1}", config)), "config.json").Quantization!;

        Assert.Equal([("group_0", 32L), ("group_1", 64), ("group_2", 128)], settings.Groups.Select(group => (group.Name, group.GroupSize!.Value)));
        Assert.Equal(["a.b|re:c$", "d", "Linear"], settings.Groups.Select(group => string.Join('|', group.Targets!)));
        Assert.All(settings.Groups, group => Assert.Equal((4L, "int", true), (group.NumBits!.Value, group.Type, group.IsSymmetric)));
    }

    [Fact]
    public void Insert_CompressedTensorsOnOneLine_FollowsTheText()
    {
        string edited = Insert("{\"a\":1}", new CompressedTensorsConfig(32, IsSymmetric: false, []));

        Assert.Equal(
            "{\"a\":1, \"quantization_config\":{\"config_groups\":{\"group_0\":{\"input_activations\":null, \"output_activations\":null, "
            + "\"targets\":[\"Linear\"], \"weights\":{\"actorder\":null, \"block_structure\":null, \"dynamic\":false, \"group_size\":32, "
            + "\"num_bits\":4, \"observer\":\"minmax\", \"observer_kwargs\":{}, \"strategy\":\"group\", \"symmetric\":false, \"type\":\"int\"}}}, "
            + "\"format\":\"pack-quantized\", \"global_compression_ratio\":null, \"ignore\":[], \"kv_cache_scheme\":null, "
            + "\"quant_method\":\"compressed-tensors\", \"quantization_status\":\"compressed\"}}",
            edited);
    }

    [Fact]
    public void Read_PublishedCompressedTensors_HasItsValues()
    {
        QuantizationSettings settings = Settings(Published);

        Assert.Equal(("compressed-tensors", "pack-quantized", "compressed"), (settings.Method, settings.Format, settings.Status));
        Assert.Equal(["lm_head"], settings.Ignore);
        QuantizationGroup group = Assert.Single(settings.Groups);
        Assert.Equal(("group_0", true, "pack-quantized"), (group.Name, group.HasWeights, group.Format));
        Assert.Equal(["Linear"], group.Targets);
        Assert.Equal((4L, "int", true, "group", 64L), (group.NumBits, group.Type, group.IsSymmetric, group.Strategy, group.GroupSize));
        Assert.Null(group.ActOrder);
        Assert.Null(settings.LoadIn4Bit);
        Assert.Null(settings.Int8Threshold);
        Assert.Null(settings.IsInt8ThresholdFloat);
    }

    [Fact]
    public void Read_Int8_HasItsValues()
    {
        QuantizationSettings settings = Settings(Int8);

        Assert.Equal((false, true, 6.0, true), (settings.LoadIn4Bit, settings.LoadIn8Bit, settings.Int8Threshold, settings.IsInt8ThresholdFloat));
        Assert.Equal(["lm_head"], settings.SkipModules);
        Assert.Empty(settings.Groups);
    }

    [Theory]
    [InlineData("6", 6.0, false)]
    [InlineData("6.0", 6.0, true)]
    [InlineData("6e0", 6.0, true)]
    [InlineData("-0", -0.0, false)]
    [InlineData("Infinity", double.PositiveInfinity, true)]
    [InlineData("NaN", null, null)]
    [InlineData("\"6.0\"", null, null)]
    [InlineData("null", null, null)]
    public void Read_Threshold_TellsAFloatFromAnInteger(string text, double? value, bool? isFloat)
    {
        QuantizationSettings settings = Settings($"{{\"quantization_config\": {{\"llm_int8_threshold\": {text}}}}}");

        Assert.Equal((value, isFloat), (settings.Int8Threshold, settings.IsInt8ThresholdFloat));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"quantization_config\": null}")]
    [InlineData("{\"quantization_config\": []}")]
    [InlineData("{\"quantization_config\": \"awq\"}")]
    public void Read_NoSettings_IsNull(string json) => Assert.Null(Parse(json).Quantization);

    [Theory]
    [InlineData("{\"compression_config\": {\"format\": \"f\"}}")]
    [InlineData("{\"quantization_config\": null, \"compression_config\": {\"format\": \"f\"}}")]
    [InlineData("{\"text_config\": {\"quantization_config\": {\"format\": \"f\"}}}")]
    public void Read_SettingsElsewhere_AreFound(string json) => Assert.Equal("f", Settings(json).Format);

    [Fact]
    public void Read_UnpairedSurrogates_AreTextsLikeAnyOther() =>
        Assert.Equal(["a", "\ue400"], Settings("{\"quantization_config\": {\"ignore\": [\"a\", \"\\udc00\"]}}").Ignore);

    [Theory]
    [InlineData("\"quant_method\": 1, \"format\": [], \"ignore\": \"lm_head\", \"llm_int8_skip_modules\": [1], \"load_in_8bit\": 1, \"config_groups\": []")]
    [InlineData("\"format\": {}, \"ignore\": [\"a\", null], \"load_in_8bit\": \"true\", \"quantization_status\": null")]
    public void Read_OtherTypes_AreNull(string members)
    {
        QuantizationSettings settings = Settings($"{{\"quantization_config\": {{{members}}}}}");

        Assert.Null(settings.Method);
        Assert.Null(settings.Format);
        Assert.Null(settings.Status);
        Assert.Null(settings.Ignore);
        Assert.Null(settings.SkipModules);
        Assert.Null(settings.LoadIn8Bit);
        Assert.Empty(settings.Groups);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("[\"Linear\"]")]
    [InlineData("{}")]
    [InlineData("{\"weights\": null}")]
    [InlineData("{\"weights\": {\"num_bits\": \"4\", \"group_size\": 1.5, \"symmetric\": \"yes\", \"type\": 1, \"strategy\": {}}}")]
    public void Read_GroupOfOtherTypes_IsNull(string value)
    {
        QuantizationGroup group = Assert.Single(Settings($"{{\"quantization_config\": {{\"config_groups\": {{\"W4A16\": {value}}}}}}}").Groups);

        Assert.Equal("W4A16", group.Name);
        Assert.Null(group.Targets);
        Assert.Null(group.Format);
        Assert.Null(group.NumBits);
        Assert.Null(group.GroupSize);
        Assert.Null(group.IsSymmetric);
        Assert.Null(group.Type);
        Assert.Null(group.Strategy);
        Assert.Null(group.ActOrder);
    }

    [Theory]
    [InlineData("{\n  \"a\": 1\n}\n")]
    [InlineData("{\"a\": 1, \"b\": NaN} ")]
    [InlineData("{}")]
    public void Remove_WhatInsertAdded_GivesTheOriginal(string original)
    {
        foreach (QuantizationConfig config in (QuantizationConfig[])[BnbQuantizationConfig.ForInt8([]), new CompressedTensorsConfig(128, true, ["a"])])
            Assert.Equal(original, Remove(Insert(original, config)));
    }

    [Theory]
    [InlineData("{\"a\": 1, \"compression_config\": {\"x\": [{}]}, \"b\": 2}", "{\"a\": 1, \"b\": 2}")]
    [InlineData("{\"compression_config\": null, \"b\": NaN, \"quantization_config\": {}}", "{\"b\": NaN}")]
    public void Remove_OldName_GoesToo(string before, string after) => Assert.Equal(after, Remove(before));

    [Fact]
    public void Insert_OfAnyMethodBesideOne_IsRefused()
    {
        ModelConfig config = Parse(Published);

        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() => config.InsertQuantizationConfig(BnbQuantizationConfig.ForInt8([])));
        Assert.Equal("CFG-QUANTIZED", error.Error.Code());
    }

    private static ModelConfig Parse(string json) => ModelConfig.Parse(Encoding.UTF8.GetBytes(json), "config.json");

    private static QuantizationSettings Settings(string json) => Assert.IsType<QuantizationSettings>(Parse(json).Quantization);

    private static string Insert(string json, QuantizationConfig config) => Encoding.UTF8.GetString(Parse(json).InsertQuantizationConfig(config));

    private static string Remove(string json) => Encoding.UTF8.GetString(Parse(json).RemoveQuantizationConfig());
}
