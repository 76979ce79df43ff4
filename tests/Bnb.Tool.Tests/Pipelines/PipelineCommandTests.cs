using System.Text.Json;
using System.Text.Json.Nodes;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Pipelines;

/// <summary>The commands besides <c>quantize</c> on whole pipelines: ours, and one in which somebody else quantized a component.</summary>
public sealed class PipelineCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _source;

    public PipelineCommandTests() => _source = SmallPipeline.Write(_folder, "pipe");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Dequantize_Pipeline_RestoresTheQuantizedAndCopiesTheRest(bool isForeign)
    {
        string packed = isForeign ? Foreign() : Ours("--components", "transformer,text_encoder_2");

        ToolRun run = ToolRun.Succeed("dequantize", packed, "--output", _folder["back"]);

        foreach (string component in (string[])["transformer", .. isForeign ? (string[])[] : ["text_encoder_2"]])
        {
            Assert.DoesNotContain("quantization_config", File.ReadAllText(_folder["back", component, "config.json"]), StringComparison.Ordinal);
            ToolRun.Succeed("dequantize", Path.Combine(packed, component), "--output", _folder["alone", component]);
            Assert.Equal(OutputFolder.FingerprintOfModel(_folder["alone", component]), OutputFolder.FingerprintOfModel(_folder["back", component]));
            Assert.Contains($"component             {component}\n", run.Out, StringComparison.Ordinal);
        }

        foreach (string copied in (string[])["vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors", "tokenizer/vocab.json", "model_index.json"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(_source, copied)), File.ReadAllBytes(_folder["back", copied]));
        ToolRun.Succeed("verify", _folder["back"], "--manifest");
        Assert.Contains("nothing to do", ToolRun.Succeed("dequantize", packed, "--output", _folder["back"]).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void DequantizeJson_OfAPipeline_IsALineForEachComponent()
    {
        ToolRun run = ToolRun.Succeed("dequantize", Ours("--components", "transformer,text_encoder_2"), "--output", _folder["back"], "--max-shard-size", "40kB", "--json");

        List<JsonElement> lines = [.. JsonResult.Lines(run).Where(line => line.GetProperty("type").GetString() == "dequantized")];
        Assert.Equal(["text_encoder_2", "transformer"], lines.Select(line => line.GetProperty("component").GetString()));
        Assert.Equal([1, 2], lines.Select(line => line.GetProperty("tensors").GetArrayLength()));
        Assert.Equal(
            [WeightBytes("text_encoder_2"), WeightBytes("transformer")],
            lines.Select(line => line.GetProperty("bytes_after").GetInt64()));

        long WeightBytes(string component) => OutputFolder.WeightFileBytes(_folder["back", component]);
    }

    [Fact]
    public void Dequantize_PlainPipeline_SaysThatNothingIsQuantized()
    {
        ToolRun run = ToolRun.Of("dequantize", _source, "--output", _folder["back"]);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "NOT-QUANTIZED");
        Assert.Contains("text_encoder, text_encoder_2, transformer, vae", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["back"]);
    }

    [Fact]
    public void Dequantize_PipelineWithAComponentInAnUnknownForm_NamesItsFolder()
    {
        string packed = Ours();
        File.WriteAllText(Path.Combine(packed, "vae", "config.json"), """{"_class_name": "AutoencoderKL", "quantization_config": {"quant_method": "gguf"}}""");

        ToolRun run = ToolRun.Of("dequantize", packed, "--output", _folder["back"]);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "NOT-QUANTIZED");
        Assert.Contains(Path.Combine(packed, "vae"), run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_Pipelines_ComparesComponentByComponent()
    {
        string packed = Ours("--components", "transformer,text_encoder_2");
        ToolRun.Succeed("dequantize", packed, "--output", _folder["back"]);

        Assert.Contains("equal: all 5 tensors", ToolRun.Succeed("diff", _source, _source).Out, StringComparison.Ordinal);
        ToolRun run = ToolRun.Of("diff", _source, _folder["back"], "--json");

        Assert.Equal(ExitCode.Differs, run.Exit);
        JsonElement line = JsonResult.Of(run);
        Assert.Equal(
            ["text_encoder_2/" + SmallPipeline.EncoderQuery, "transformer/transformer_blocks.0.attn.to_k.weight", "transformer/" + SmallPipeline.Query],
            line.GetProperty("differing").EnumerateArray().Select(weight => weight.GetProperty("name").GetString()));
        Assert.Equal(2, line.GetProperty("tensors_equal").GetInt32());
        // Packed, a component differs in its config as well.
        JsonElement config = JsonResult.Of(ToolRun.Of("diff", _source, packed, "--json")).GetProperty("config");
        Assert.Equal(["text_encoder_2/quantization_config", "transformer/quantization_config"], config.GetProperty("added").EnumerateArray().Select(name => name.GetString()));
    }

    [Fact]
    public void Diff_ComponentOfOnePipelineOnly_IsOneSided()
    {
        string other = SmallPipeline.Write(_folder, "other");
        Directory.Delete(Path.Combine(other, "vae"), recursive: true);
        string index = Path.Combine(other, "model_index.json");
        JsonObject members = JsonNode.Parse(File.ReadAllText(index))!.AsObject();
        members.Remove("vae");
        File.WriteAllText(index, members.ToJsonString());

        ToolRun run = ToolRun.Of("diff", _source, other, "--json");

        JsonElement line = JsonResult.Of(run), one = line.GetProperty("differing").EnumerateArray().Single();
        Assert.Equal(("vae/" + SmallPipeline.Decoder, "removed"), (one.GetProperty("name").GetString(), one.GetProperty("status").GetString()));
        Assert.Contains("model_index.json/vae", line.GetProperty("config").GetProperty("removed").EnumerateArray().Select(name => name.GetString()));
    }

    [Theory]
    [InlineData("transformer/*", 2)]
    [InlineData("*.to_k", 1)]
    [InlineData("decoder.*", 1)]
    public void Diff_PatternsOfPipelines_TakeNamesWithAndWithoutTheComponent(string pattern, int tensors)
    {
        JsonElement line = JsonResult.Of(ToolRun.Succeed("diff", _source, _source, "--include", pattern, "--json"));

        Assert.Equal(tensors, line.GetProperty("tensors").GetInt32());
    }

    [Fact]
    public void Diff_PipelineAndModel_NamesAComponentFolder()
    {
        ToolRun run = ToolRun.Of("diff", _source, Path.Combine(_source, "vae"));

        Refusal.AssertIs(run, ExitCode.InputMissing, "FILE-MISSING");
        Assert.Contains(Path.Combine(_source, "transformer"), run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Lint_Pipeline_JudgesEachComponentThatIsQuantized(bool isForeign)
    {
        string packed = isForeign ? Foreign() : Ours("--components", "transformer,text_encoder_2");

        List<JsonElement> lines = Lint(ToolRun.Succeed("lint", packed, "--json"));

        Assert.Equal(isForeign ? ["transformer"] : ["text_encoder_2", "transformer"], lines.Select(line => line.GetProperty("component").GetString()));
        Assert.Equal(["diffusers"], lines[^1].GetProperty("consumers").EnumerateArray().Select(consumer => consumer.GetProperty("consumer").GetString()));
        if (!isForeign) Assert.Equal(["transformers4", "transformers5"], lines[0].GetProperty("consumers").EnumerateArray().Select(consumer => consumer.GetProperty("consumer").GetString()));
    }

    [Fact]
    public void Lint_PipelineWithABrokenComponent_FailsAndItsSarifNamesTheComponentsFile()
    {
        string packed = Ours("--components", "transformer,text_encoder_2"), path = Path.Combine(packed, "text_encoder_2", "config.json");
        JsonNode config = JsonNode.Parse(File.ReadAllText(path))!;
        config["quantization_config"]!["llm_int8_skip_modules"]!.AsArray().Add("q");
        File.WriteAllText(path, config.ToJsonString());

        ToolRun run = ToolRun.Of("lint", packed, "--sarif", _folder["lint.sarif"]);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        List<JsonElement> results = [.. JsonElement.Parse(File.ReadAllText(_folder["lint.sarif"])).GetProperty("runs")[0].GetProperty("results").EnumerateArray()];
        JsonElement result = results.First(result => result.GetProperty("ruleId").GetString() == "LOAD106").GetProperty("locations")[0];
        Assert.Equal("text_encoder_2/config.json", result.GetProperty("physicalLocation").GetProperty("artifactLocation").GetProperty("uri").GetString());
        Assert.StartsWith("text_encoder_2/", result.GetProperty("logicalLocations")[0].GetProperty("fullyQualifiedName").GetString(), StringComparison.Ordinal);
        Assert.Empty(Verification.ReportSchema.Problems(File.ReadAllText(_folder["lint.sarif"]), Golden.File("schemas", "sarif-2.1.0.json")));
    }

    [Fact]
    public void Lint_PlainPipeline_IsRefused() => Refusal.AssertIs(ToolRun.Of("lint", _source), ExitCode.InputUnsupported, "NOT-QUANTIZED");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Inspect_Pipeline_SumsUp(bool isForeign)
    {
        string packed = isForeign ? Foreign() : Ours();

        List<JsonElement> lines = [.. JsonResult.Lines(ToolRun.Succeed("inspect", packed, "--fits", "1GiB", "--json"))];

        JsonElement sum = lines.Single(line => line.GetProperty("type").GetString() == "pipeline");
        IEnumerable<JsonElement> components = lines.Where(line => line.GetProperty("type").GetString() == "checkpoint");
        Assert.Equal(components.Sum(line => line.GetProperty("bytes").GetInt64()), sum.GetProperty("bytes").GetInt64());
        Assert.Equal(components.Select(line => line.GetProperty("component").GetString()), sum.GetProperty("components").EnumerateArray().Select(one => one.GetProperty("component").GetString()));
        Assert.Equal(2, sum.GetProperty("components").EnumerateArray().Sum(one => one.GetProperty("quantized").GetInt32()));
        Assert.Equal(sum.GetProperty("bytes").GetInt64(), sum.GetProperty("fit").GetProperty("weight_bytes").GetInt64());
        Assert.All(components, line => Assert.False(line.TryGetProperty("fit", out _)));
        Assert.Contains("tensors              5, of which 2 quantized\n", ToolRun.Succeed("inspect", packed).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Explain_ComponentThatIsCopied_SaysHowItWouldBeQuantized()
    {
        ToolRun run = ToolRun.Succeed("explain", _source);

        Assert.Contains("vae: known to diffusers; quantize copies it unless --components names it\n", run.Out, StringComparison.Ordinal);
        Assert.Contains("transformer: known to diffusers\n", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Init_Pipeline_WritesARecipeThatMakesTheSame()
    {
        ToolRun.Succeed("init", _source, "--output", _folder["recipe.json"], "--components", "transformer,text_encoder_2", "--dtype", "float16");

        Assert.Contains("\"components\": \"text_encoder_2,transformer\"", File.ReadAllText(_folder["recipe.json"]), StringComparison.Ordinal);
        Assert.Contains("// in transformer:", File.ReadAllText(_folder["recipe.json"]).Replace("//   in", "// in", StringComparison.Ordinal), StringComparison.Ordinal);
        ToolRun.Succeed("quantize", _source, "--output", _folder["read"], "--config", _folder["recipe.json"]);
        ToolRun.Succeed("quantize", _source, "--output", _folder["typed"], "--components", "transformer,text_encoder_2", "--dtype", "float16");
        Assert.Equal(OutputFolder.FingerprintOfModel(_folder["typed"]), OutputFolder.FingerprintOfModel(_folder["read"]));
    }

    [Fact]
    public void Plan_OneComponentByItself_MakesARecipeThatThePipelineTakes()
    {
        ToolRun.Succeed("plan", Path.Combine(_source, "transformer"), "--target-bits", "10.5", "--output", _folder["recipe.json"]);

        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--config", _folder["recipe.json"]);
        ToolRun.Succeed("verify", _folder["out"], "--source", _source);
    }

    [Fact]
    public void Verify_ForeignPipeline_VerifiesItsQuantizedComponent()
    {
        ToolRun run = ToolRun.Succeed("verify", Foreign(), "--source", _source, "--json");

        Assert.Single(JsonResult.Lines(run), line => line.GetProperty("type").GetString() == "verification");
    }

    [Theory]
    [InlineData("--include", "*.to_k", "transformer")]
    [InlineData("--exclude", "*.to_k", "text_encoder_2 transformer")]
    public void Verify_PatternOfOneComponent_ConcernsThatOne(string option, string pattern, string components)
    {
        ToolRun run = ToolRun.Succeed("verify", Ours("--components", "transformer,text_encoder_2"), "--source", _source, option, pattern, "--json");

        Assert.Equal(
            components.Split(' '),
            JsonResult.Lines(run).Where(line => line.GetProperty("type").GetString() == "verification").Select(line => Path.GetFileName(line.GetProperty("quantized").GetString())));
        Assert.All(
            JsonResult.Lines(run).Where(line => line.GetProperty("type").GetString() == "verification"),
            line => Assert.Equal(1, line.GetProperty("layers_checked").GetInt32()));
    }

    [Fact]
    public void Verify_PatternOfNoComponent_IsRefused() => Refusal.AssertIs(
        ToolRun.Of("verify", Ours(), "--source", _source, "--include", "*.nowhere"), ExitCode.Usage, "PATTERN-UNMATCHED");

    [Fact]
    public void VerifyManifest_OfAPipelineThatIsNotOurs_SaysWhatToDo()
    {
        ToolRun run = ToolRun.Of("verify", Foreign(), "--manifest");

        Refusal.AssertIs(run, ExitCode.InputMissing, "MANIFEST");
        Assert.Contains("--source", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void VerifyManifest_OfOneComponent_NamesThePipeline()
    {
        string packed = Ours();

        ToolRun run = ToolRun.Of("verify", Path.Combine(packed, "transformer"), "--manifest");

        Refusal.AssertIs(run, ExitCode.InputMissing, "MANIFEST");
        Assert.Contains($"dotnet bnb verify {packed} --manifest", run.Error, StringComparison.Ordinal);
    }

    private static List<JsonElement> Lint(ToolRun run) => [.. JsonResult.Lines(run).Where(line => line.GetProperty("type").GetString() == "lint")];

    private string Ours(params string[] options)
    {
        ToolRun.Succeed(["quantize", _source, "--output", _folder["packed"], .. options]);
        return _folder["packed"];
    }

    /// <summary>As diffusers saves one whose transformer was loaded in 4 bit: nothing of ours in it.</summary>
    private string Foreign()
    {
        ToolRun.Succeed("quantize", Path.Combine(_source, "transformer"), "--output", _folder["alone-packed"]);
        string foreign = SmallPipeline.Write(_folder, "foreign");
        foreach (string file in Directory.EnumerateFiles(Path.Combine(foreign, "transformer"))) File.Delete(file);
        foreach (string file in (string[])["config.json", "diffusion_pytorch_model.safetensors"])
            File.Copy(_folder["alone-packed", file], Path.Combine(foreign, "transformer", file));
        return foreign;
    }
}
