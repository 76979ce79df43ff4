using System.Text;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using FsCheck;
using FsCheck.Fluent;

namespace Bnb.Formats.Tests;

public sealed class ModelConfigTests
{
    private static readonly BnbQuantizationConfig Nf4 = new("nf4", true, "bfloat16", "uint8", ["lm_head"]);

    private const string Block = """
        "quantization_config": {
            "_load_in_4bit": true,
            "_load_in_8bit": false,
            "bnb_4bit_compute_dtype": "bfloat16",
            "bnb_4bit_quant_storage": "uint8",
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": true,
            "llm_int8_enable_fp32_cpu_offload": false,
            "llm_int8_has_fp16_weight": false,
            "llm_int8_skip_modules": [
              "lm_head"
            ],
            "llm_int8_threshold": 6.0,
            "load_in_4bit": true,
            "load_in_8bit": false,
            "quant_method": "bitsandbytes"
          }
        """;

    private const string Compact = "{\"_load_in_4bit\": true, \"_load_in_8bit\": false, \"bnb_4bit_compute_dtype\": \"bfloat16\", "
        + "\"bnb_4bit_quant_storage\": \"uint8\", \"bnb_4bit_quant_type\": \"nf4\", \"bnb_4bit_use_double_quant\": true, "
        + "\"llm_int8_enable_fp32_cpu_offload\": false, \"llm_int8_has_fp16_weight\": false, \"llm_int8_skip_modules\": [\"lm_head\"], "
        + "\"llm_int8_threshold\": 6.0, \"load_in_4bit\": true, \"load_in_8bit\": false, \"quant_method\": \"bitsandbytes\"}";

    [Theory]
    [InlineData("{\n  \"a\": 1\n}\n", "{\n  \"a\": 1,\n  @\n}\n")]
    [InlineData("{\n  \"a\": 1\n}", "{\n  \"a\": 1,\n  @\n}")]
    [InlineData("{\n}\n", "{\n  @\n}\n")]
    [InlineData("\n{\n  \"a\": [Infinity, -Infinity, NaN]\n}", "\n{\n  \"a\": [Infinity, -Infinity, NaN],\n  @\n}")]
    [InlineData("{\n  \"b\": 123456789012345678901234567890,\n  \"e\": 1e-05,\n  \"f\": 1.00\n}\n", "{\n  \"b\": 123456789012345678901234567890,\n  \"e\": 1e-05,\n  \"f\": 1.00,\n  @\n}\n")]
    [InlineData("{\n  \"a\": \"naïve <&'+> 日本 \\u00e9 😀\"\n}\n", "{\n  \"a\": \"naïve <&'+> 日本 \\u00e9 😀\",\n  @\n}\n")]
    [InlineData("{\n  \"quantization_config\": null,\n  \"a\": 1\n}\n", "{\n  @,\n  \"a\": 1\n}\n")]
    [InlineData("{\n  \"a\": {\"quantization_config\": null}\n}\n", "{\n  \"a\": {\"quantization_config\": null},\n  @\n}\n")]
    [InlineData("{\n  \"a\": \"}\\\"]\",\n  \"b\": {\"c\": [1]}\n}\n", "{\n  \"a\": \"}\\\"]\",\n  \"b\": {\"c\": [1]},\n  @\n}\n")]
    public void Insert_IndentedText_AddsOneMemberAndNothingElse(string before, string after) =>
        Assert.Equal(after.Replace("@", Block, StringComparison.Ordinal), Insert(before));

    [Theory]
    [InlineData("{}", "{\"quantization_config\": @}")]
    [InlineData("{ }", "{\"quantization_config\": @}")]
    [InlineData("{\"a\": 1}", "{\"a\": 1, \"quantization_config\": @}")]
    [InlineData("{\"a\": 1, \"b\": NaN} ", "{\"a\": 1, \"b\": NaN, \"quantization_config\": @} ")]
    [InlineData("{\"quantization_config\": null}", "{\"quantization_config\": @}")]
    public void Insert_OneLine_StaysOneLine(string before, string after) =>
        Assert.Equal(after.Replace("@", Compact, StringComparison.Ordinal), Insert(before));

    [Fact]
    public void Insert_OneLineWithoutSpaces_HasNoSpaces()
    {
        string compact = Compact.Replace(" ", "", StringComparison.Ordinal);

        Assert.Equal($"{{\"a\":1,\"b\":2,\"quantization_config\":{compact}}}", Insert("{\"a\":1,\"b\":2}"));
    }

    [Fact]
    public void Insert_WindowsLineEnds_AreKept() =>
        Assert.Equal(
            "{\r\n  \"a\": 1,\r\n  @\r\n}\r\n".Replace("@", Block.ReplaceLineEndings("\r\n"), StringComparison.Ordinal),
            Insert("{\r\n  \"a\": 1\r\n}\r\n"));

    [Fact]
    public void Insert_Tabs_AreKept()
    {
        string block = string.Join('\n', Block.Split('\n').Select(line =>
        {
            int spaces = line.Length - line.TrimStart(' ').Length;
            return new string('\t', spaces / 2) + line[spaces..];
        }));

        Assert.Equal("{\n\t\"a\": 1,\n\t@\n}\n".Replace("@", block, StringComparison.Ordinal), Insert("{\n\t\"a\": 1\n}\n"));
    }

    [Fact]
    public void Insert_EscapedMemberNameThatIsNull_IsReplaced()
    {
        string edited = Insert("{\"quantization_\\u0063onfig\": null}");

        Assert.Equal($"{{\"quantization_\\u0063onfig\": {Compact}}}", edited);
    }

    [Fact]
    public void Insert_NonAsciiModuleName_IsEscapedAsPythonDoes()
    {
        BnbQuantizationConfig config = Nf4 with { SkipModules = ["é\"\\", "b"] };
        string edited = Encoding.UTF8.GetString(ModelConfig.Parse("{}"u8.ToArray(), "config.json").InsertQuantizationConfig(config));

        Assert.Contains("[\"\\u00e9\\\"\\\\\", \"b\"]", edited, StringComparison.Ordinal);
    }

    [Fact]
    public void Insert_NoModules_WritesAnEmptyList()
    {
        BnbQuantizationConfig config = Nf4 with { SkipModules = [], DoubleQuant = false };
        string edited = Encoding.UTF8.GetString(ModelConfig.Parse("{\n  \"a\": 1\n}"u8.ToArray(), "config.json").InsertQuantizationConfig(config));

        Assert.Contains("\"llm_int8_skip_modules\": [],", edited, StringComparison.Ordinal);
        Assert.Contains("\"bnb_4bit_use_double_quant\": false,", edited, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"quantization_config\": {\"quant_method\": \"gptq\"}}", "gptq")]
    [InlineData("{\"quantization_config\": {\"load_in_8bit\": true}}", "bitsandbytes")]
    [InlineData("{\"quantization_config\": {}}", "unknown")]
    [InlineData("{\"compression_config\": {}}", "unknown")]
    [InlineData("{\"text_config\": {\"quantization_config\": {\"quant_method\": \"fp8\"}}}", "fp8")]
    public void Insert_AlreadyQuantized_IsRefused(string json, string method)
    {
        ModelConfig config = Parse(json);

        Assert.Equal(method, config.QuantMethod);
        Assert.Equal(FormatError.AlreadyQuantized, Assert.Throws<CheckpointFormatException>(() => config.InsertQuantizationConfig(Nf4)).Error);
    }

    [Theory]
    [InlineData("{\"dtype\": \"float16\"}", "float16")]
    [InlineData("{\"torch_dtype\": \"torch.bfloat16\"}", "bfloat16")]
    [InlineData("{\"text_config\": {\"dtype\": \"float32\"}}", "float32")]
    [InlineData("{\"dtype\": null, \"torch_dtype\": 5}", null)]
    public void TorchDType_AnySpelling_IsFound(string json, string? expected) => Assert.Equal(expected, Parse(json).TorchDType);

    [Theory]
    [InlineData("{\"tie_word_embeddings\": true}", true)]
    [InlineData("{\"text_config\": {\"tie_word_embeddings\": true}}", true)]
    [InlineData("{\"tie_word_embeddings\": false, \"text_config\": {\"tie_word_embeddings\": true}}", false)]
    [InlineData("{}", false)]
    public void TieWordEmbeddings_IsFound(string json, bool expected) => Assert.Equal(expected, Parse(json).TieWordEmbeddings);

    [Theory]
    [InlineData("\\ud800", "\ue000")]
    [InlineData("a\\udFfFb", "a\ue7ffb")]
    [InlineData("\\ud83d\\ude00", "\ud83d\ude00")]
    [InlineData("\\ud83d\\ud83d\\ude00", "\ue03d\ud83d\ude00")]
    [InlineData("\\\\ud800", "\\ud800")]
    public void Parse_UnpairedSurrogate_ReadsAsACharacterOfItsOwn(string escaped, string expected)
    {
        ModelConfig config = Parse($"{{\"{escaped}\": 1, \"model_type\": \"{escaped}\"}}");

        Assert.Equal(expected, config.ModelType);
        Assert.True(config.Has(expected));
    }

    [Fact]
    public void Parse_BareWords_ReadAsInfinityAndNanNeverAsNumber()
    {
        ModelConfig config = Parse("{\"i\": Infinity, \"m\": -Infinity, \"n\": NaN, \"t\": \"NaN Infinity\"}");

        Assert.Equal(double.PositiveInfinity, config.Root.GetProperty("i").GetDouble());
        Assert.Equal(double.NegativeInfinity, config.Root.GetProperty("m").GetDouble());
        Assert.Equal(System.Text.Json.JsonValueKind.Array, config.Root.GetProperty("n").ValueKind);
        Assert.Equal("NaN Infinity", config.Root.GetProperty("t").GetString());
    }

    [Theory]
    [InlineData("{\"a\": 1Infinity}")]
    [InlineData("{\"a\": Infinity1}")]
    [InlineData("{\"a\": --Infinity}")]
    [InlineData("{\"a\": Inf}")]
    [InlineData("{NaN: 1}")]
    [InlineData("{ NaN : 1}")]
    [InlineData("{ Infinity : 1}")]
    [InlineData("{\"a\": {\"b\": 1, \"\\u0062\": 2}}")]
    [InlineData("{} {}")]
    [InlineData("")]
    public void Parse_NotAConfig_IsCfgJson(string json) =>
        Assert.Equal(FormatError.ConfigNotJson, Assert.Throws<CheckpointFormatException>(() => Parse(json)).Error);

    [Fact]
    public void Parse_EveryTruncationAndBitFlip_ThrowsOnlyFormatErrors()
    {
        byte[] seed = Encoding.UTF8.GetBytes("{\n  \"a\": [1, -Infinity, NaN, \"\\u00e9é\"],\n  \"quantization_config\": null,\n  \"b\": {}\n}\n");
        for (int i = 0; i < seed.Length; i++) Try(seed[..i]);
        for (int bit = 0; bit < seed.Length * 8; bit++)
        {
            byte[] flipped = [.. seed];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            Try(flipped);
        }
    }

    [Fact]
    public void Insert_AnyObject_KeepsEveryOriginalByte()
    {
        Gen<string> space = Gen.Elements("", " ", "\n", "\r\n  ", "\t");
        Gen<string> value = Gen.Elements("1", "-0.0", "NaN", "null", "[ ]", "{\"x\" : [Infinity]}", "\"a\\\"}\"", "\"é\"");
        Gen<string> text =
            from values in Gen.ListOf(value)
            from a in space
            from b in space
            from c in space
            select "{" + string.Join("," + a, values.Select((v, i) => $"{a}\"k{i}\"{b}:{c}{v}{b}")) + c + "}" + a;
        Prop.ForAll(text.ToArbitrary(), json =>
        {
            string edited = Insert(json);
            int same = json.TakeWhile((c, i) => edited[i] == c).Count();
            return edited.EndsWith(json[same..].TrimStart(), StringComparison.Ordinal) && Parse(edited).QuantMethod == "bitsandbytes";
        }).QuickCheckThrowOnFailure();
    }

    private static void Try(byte[] json)
    {
        try
        {
            ModelConfig config = ModelConfig.Parse(json, "config.json");
            _ = (config.ModelType, config.TorchDType, config.QuantMethod, config.TieWordEmbeddings);
            config.InsertQuantizationConfig(Nf4);
        }
        catch (CheckpointFormatException error)
        {
            Assert.DoesNotContain(error.Message, char.IsControl);
        }
    }

    private static ModelConfig Parse(string json) => ModelConfig.Parse(Encoding.UTF8.GetBytes(json), "config.json");

    private static string Insert(string json) => Encoding.UTF8.GetString(Parse(json).InsertQuantizationConfig(Nf4));
}
