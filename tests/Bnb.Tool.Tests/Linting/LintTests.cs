using System.Text.Json;
using System.Text.Json.Nodes;
using Bnb.Engine.Errors;
using Bnb.Engine.Linting;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Linting;

/// <summary>What <c>lint</c> says of our own outputs, and of the same ones with one thing wrong.</summary>
public sealed class LintTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public LintTests() => SampleCheckpoint.Small.Write(_folder["source"]);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("transformers4,transformers5,vllm,sglang,peft", "nf4")]
    [InlineData("transformers4,transformers5,vllm,sglang,peft", "fp4")]
    [InlineData("transformers4,transformers5,vllm,peft", "int8")]
    [InlineData("transformers4,transformers5,vllm,sglang", "int4")]
    [InlineData("transformers4,transformers5,vllm,sglang", "fp8")]
    public void Lint_OurOutput_LoadsInAll(string consumers, string type)
    {
        Quantize("--type", type);

        JsonElement report = Lint(ExitCode.Done, "--for", consumers);

        Assert.All(Consumers(report), verdict => Assert.True(verdict.GetProperty("loads").GetBoolean(), verdict.ToString()));
        Assert.Equal("LlamaForCausalLM", report.GetProperty("class").GetString());
    }

    [Theory]
    [InlineData("int4", "peft", "LOAD010")]
    [InlineData("int4", "diffusers", "LOAD010")]
    [InlineData("fp8", "peft", "LOAD010")]
    [InlineData("fp8", "diffusers", "LOAD010")]
    [InlineData("nf4", "diffusers", "LOAD011")]
    public void Lint_TypeOrClassThatALibraryLacks_DoesNotLoad(string type, string consumer, string rule)
    {
        Quantize("--type", type);

        Assert.Contains(rule, Rules(Lint(ExitCode.VerificationFailed, "--for", consumer), consumer));
    }

    [Theory]
    [InlineData("model.layers.0.mlp", "transformers4", "LOAD106")]
    [InlineData("model.layers.0.mlp", "transformers5", "LOAD106")]
    [InlineData("q_proj", "transformers4", "LOAD106")]
    [InlineData("qkv_proj", "vllm", "LOAD106")]
    public void Lint_ListThatSkipsPackedModules_DoesNotLoad(string entry, string consumer, string rule)
    {
        Quantize();
        Edit(config => config["quantization_config"]!["llm_int8_skip_modules"]!.AsArray().Add(entry));

        Assert.Contains(rule, Rules(Lint(ExitCode.VerificationFailed, "--for", consumer), consumer));
    }

    [Theory]
    [InlineData("transformers4", 14)]
    [InlineData("transformers5", 14)]
    [InlineData("vllm", 0)]
    public void Lint_PlainLayersThatTheListMisses_AreNamed(string consumer, int exit)
    {
        Quantize("--exclude", "*.layers.1.mlp.*");
        Edit(config => config["quantization_config"]!["llm_int8_skip_modules"] = new JsonArray("lm_head"));

        JsonElement report = Lint((ExitCode)exit, "--for", consumer);

        Assert.Contains("LOAD107", Rules(report, consumer));
        string[] named = [.. Findings(report, consumer).Where(finding => finding.GetProperty("rule").GetString() == "LOAD107")
            .SelectMany(finding => finding.GetProperty("tensors").EnumerateArray()).Select(name => name.GetString()!)];
        Assert.Contains(named, name => name.StartsWith("model.layers.1.mlp.", StringComparison.Ordinal));
    }

    [Fact]
    public void Lint_NullList_FailsForPlainLayersAndNotForHeads()
    {
        Quantize("--exclude", "*.layers.1.mlp.*");
        Edit(config => config["quantization_config"]!["llm_int8_skip_modules"] = null);

        JsonElement finding = Findings(Lint(ExitCode.VerificationFailed, "--for", "transformers5"), "transformers5")
            .Single(finding => finding.GetProperty("rule").GetString() == "LOAD107");

        Assert.Equal(3, finding.GetProperty("count").GetInt32());
    }

    [Fact]
    public void Lint_PartOfAFusedLayerPlain_DoesNotLoadInVllm()
    {
        Quantize("--exclude", "*.layers.1.self_attn.*");
        JsonElement before = Lint(ExitCode.Done, "--for", "vllm");
        Assert.DoesNotContain("LOAD123", Rules(before, "vllm"));

        // The policy keeps groups together, so one is taken apart by hand: q of layer 1 as it was, k and v packed.
        using var other = new TempFolder();
        ToolRun.Succeed("quantize", _folder["source"], "--output", other["all"]);
        MergeOne(other["all"], "model.layers.1.self_attn.k_proj.");

        Assert.Contains("LOAD123", Rules(Lint(ExitCode.VerificationFailed, "--for", "vllm"), "vllm"));
    }

    [Fact]
    public void Lint_OtherQuantTypeInConfig_IsSaid()
    {
        Quantize();
        Edit(config => config["quantization_config"]!["bnb_4bit_quant_type"] = "fp4");

        Assert.Contains("LOAD002", Rules(Lint(ExitCode.VerificationFailed, "--for", "transformers5"), "transformers5"));
    }

    [Theory]
    [InlineData("lm_head", "re:.*q_proj", "LOAD106")]
    [InlineData(null, null, "LOAD107")]
    public void Lint_Fp8AndItsIgnoreList_AreHeldAgainstEachOther(string? first, string? second, string rule)
    {
        Quantize("--type", "fp8");
        Edit(config => config["quantization_config"]!["ignore"] = first is null ? new JsonArray() : new JsonArray(first, second));

        Assert.Contains(rule, Rules(Lint(ExitCode.VerificationFailed, "--for", "transformers5"), "transformers5"));
    }

    [Theory]
    [InlineData("int", 8)]
    [InlineData(null, 8)]
    [InlineData("float", 4)]
    public void Lint_Fp8UnderAnotherTypeInConfig_IsSaid(string? type, int bits)
    {
        Quantize("--type", "fp8");
        Edit(config =>
        {
            JsonNode weights = config["quantization_config"]!["config_groups"]!["group_0"]!["weights"]!;
            (weights["type"], weights["num_bits"]) = (type, bits);
        });

        Assert.Contains("LOAD002", Rules(Lint(ExitCode.VerificationFailed, "--for", "vllm"), "vllm"));
    }

    [Fact]
    public void Lint_IntegersOfOtherBits_AreNotTakenForBitsAndBytes()
    {
        Quantize("--type", "int4");
        Edit(config => config["quantization_config"]!["config_groups"]!["group_0"]!["weights"]!["num_bits"] = 8);

        string?[] rules = [.. Rules(Lint(ExitCode.VerificationFailed, "--for", "vllm"), "vllm")];

        Assert.Contains("CT0107", rules);
        Assert.DoesNotContain("LOAD002", rules);
    }

    [Theory]
    [InlineData("fp8")]
    [InlineData("modelopt")]
    public void Lint_WeightsOfAnotherMethod_AreRefusedAndNotCorrected(string method)
    {
        Quantize("--type", "fp8");
        Edit(config => config["quantization_config"]!["quant_method"] = method);

        Refusal.AssertIs(ToolRun.Of("lint", _folder["packed"]), ExitCode.InputUnsupported, "QUANT-UNSUP");
    }

    [Fact]
    public void Lint_PlainCheckpoint_IsRefused() => Refusal.AssertIs(ToolRun.Of("lint", _folder["source"]), ExitCode.InputUnsupported, "NOT-QUANTIZED");

    [Fact]
    public void Lint_Sarif_HasARuleForEveryResult()
    {
        Quantize();
        Edit(config => config["quantization_config"]!["llm_int8_skip_modules"]!.AsArray().Add("q_proj"));

        ToolRun run = ToolRun.Of("lint", _folder["packed"], "--sarif", _folder["lint.sarif"]);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        JsonElement sarif = JsonElement.Parse(File.ReadAllText(_folder["lint.sarif"]));
        Assert.Equal("2.1.0", sarif.GetProperty("version").GetString());
        JsonElement first = sarif.GetProperty("runs")[0];
        HashSet<string?> rules = [.. first.GetProperty("tool").GetProperty("driver").GetProperty("rules").EnumerateArray().Select(rule => rule.GetProperty("id").GetString())];
        Assert.NotEmpty(first.GetProperty("results").EnumerateArray());
        Assert.All(first.GetProperty("results").EnumerateArray(), result =>
        {
            Assert.Contains(result.GetProperty("ruleId").GetString(), rules);
            Assert.Contains(result.GetProperty("level").GetString(), (string[])["note", "warning", "error"]);
            Assert.NotEmpty(result.GetProperty("message").GetProperty("text").GetString()!);
        });
    }

    [Fact]
    public void LintRules_All_HaveIdsOfTheirOwnAndAWayForward()
    {
        Assert.Equal(LintRules.All.Count, LintRules.All.Select(rule => rule.Id).Distinct().Count());
        Assert.All(LintRules.All, rule => Assert.NotEmpty(rule.Action));
        Assert.Equal(LintRules.All.Select(rule => rule.Id), Docs.Document.Rows(Docs.Document.Read("docs/cli.md").Section("### Rules of lint")).Select(row => row[0].Trim('`')));
    }

    private void Quantize(params string[] options) => ToolRun.Succeed(["quantize", _folder["source"], "--output", _folder["packed"], .. options]);

    private JsonElement Lint(ExitCode exit, params string[] options)
    {
        ToolRun run = ToolRun.Of(["lint", _folder["packed"], "--json", .. options]);
        Assert.True(run.Exit == exit, run.Error + run.Out);
        return JsonElement.Parse(run.Out.Split('\n')[0]);
    }

    private void Edit(Action<JsonNode> change)
    {
        string path = Path.Combine(_folder["packed"], "config.json");
        JsonNode config = JsonNode.Parse(File.ReadAllText(path))!;
        change(config);
        File.WriteAllText(path, config.ToJsonString());
    }

    private void MergeOne(string from, string prefix)
    {
        var tensors = OutputFolder.Tensors(_folder["packed"]);
        foreach (string name in tensors.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).ToList()) tensors.Remove(name);
        foreach ((string name, var tensor) in OutputFolder.Tensors(from))
            if (name.StartsWith(prefix, StringComparison.Ordinal)) tensors[name] = tensor;
        File.WriteAllBytes(
            Directory.EnumerateFiles(_folder["packed"], "*.safetensors").Single(),
            CheckpointBuilder.Safetensors([.. tensors.Select(tensor => new TestTensor(
                tensor.Key, Bnb.Formats.Primitives.DTypes.Name(tensor.Value.Info.DType), [.. tensor.Value.Info.Shape.Dimensions], tensor.Value.Bytes))]));
    }

    private static JsonElement.ArrayEnumerator Consumers(JsonElement report) => report.GetProperty("consumers").EnumerateArray();

    private static JsonElement.ArrayEnumerator Findings(JsonElement report, string consumer) =>
        Consumers(report).Single(verdict => verdict.GetProperty("consumer").GetString() == consumer).GetProperty("findings").EnumerateArray();

    private static IEnumerable<string?> Rules(JsonElement report, string consumer) =>
        Findings(report, consumer).Select(finding => finding.GetProperty("rule").GetString());
}
