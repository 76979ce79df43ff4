using System.Text.Json.Nodes;
using Bnb.Engine.Architectures;
using Bnb.Engine.Events;
using Bnb.Engine.Linting;
using Bnb.Engine.Reports;
using Bnb.Formats.Primitives;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verification;
using Xunit;

namespace Bnb.Tool.Tests.Linting;

/// <summary>Every rule of <c>lint</c> with the smallest checkpoint that breaks it, and SARIF against its schema.</summary>
public sealed class LintRuleTests(LintRuleTests.Weights weights) : IClassFixture<LintRuleTests.Weights>, IDisposable
{
    private const string Up = "model.layers.0.mlp.up_proj", Q = "model.layers.0.self_attn.q_proj", K = "model.layers.0.self_attn.k_proj";
    private const string Experts = "model.layers.0.block_sparse_moe.experts.0.";

    private static readonly Broken[] Cases =
    [
        new(LintRules.NoConfig, LoadTarget.Transformers5, "error") { Edit = config => config.Remove("quantization_config") },
        new(LintRules.ConfigDiffers, LoadTarget.Transformers5, "error") { Edit = config => config["quantization_config"]!["bnb_4bit_quant_type"] = "fp4" },
        new(LintRules.WrongType, LoadTarget.Peft, "error") { Type = "int4" },
        new(LintRules.NoClass, LoadTarget.Diffusers, "error"),
        new(LintRules.UnknownClass, LoadTarget.Transformers5, "note") { Class = "NobodysModel", ModelType = "nobodys" },
        new(LintRules.NotLinear, LoadTarget.Transformers5, "error") { Packed = ["model.embed_tokens"] },
        new(LintRules.Subclass, LoadTarget.Transformers5, "error")
        {
            Class = "AriaForConditionalGeneration", ModelType = "aria", Packed = ["multi_modal_projector.cross_attn.multihead_attn.out_proj"],
        },
        new(LintRules.FusedExperts, LoadTarget.Transformers5, "error") { Class = "MixtralForCausalLM", ModelType = "mixtral", Packed = [Experts + "w1"] },
        new(LintRules.Rebuilt, LoadTarget.Transformers5, "error")
        {
            Class = "GteForMaskedLM", ModelType = "gte", Packed = ["gte.encoder.layer.0.attention.qkv_proj"],
        },
        new(LintRules.Absent, LoadTarget.Transformers5, "warning")
        {
            Class = "AltCLIPVisionModel", ModelType = "altclip_vision_model", Packed = ["vision_model.encoder.layers.0.mlp.fc1"],
        },
        new(LintRules.PackedButSkipped, LoadTarget.Transformers5, "error") { Skipped = ["up_proj"] },
        new(LintRules.PlainNotSkipped, LoadTarget.Transformers5, "error") { Plain = [Q] },
        new(LintRules.UnsavedNotSkipped, LoadTarget.Transformers5, "warning")
        {
            Class = "OPTForCausalLM", ModelType = "opt", Packed = ["model.decoder.layers.0.fc1"], Skipped = ["score"],
        },
        new(LintRules.BiasInPath, LoadTarget.Diffusers, "error") { Class = "RFD4ProteinaTransformer", Packed = ["transformer_layers.0.mhba.mha.to_bias"], IsDiffusers = true },
        new(LintRules.AsymmetricInt4, LoadTarget.Transformers5, "warning") { Type = "int4", Options = ["--symmetric", "false"] },
        new(LintRules.StackedExperts, LoadTarget.Transformers5, "error")
        {
            Class = "Llama4ForConditionalGeneration", ModelType = "llama4",
            Packed = ["language_model.model.layers.0.self_attn.q_proj", "language_model.model.layers.0.feed_forward.experts.0.up_proj"],
        },
        new(LintRules.NoBitsAndBytes, LoadTarget.Vllm, "error") { Class = "StableLmForCausalLM", ModelType = "stablelm" },
        new(LintRules.StorageType, LoadTarget.Vllm, "error") { Options = ["--quant-storage", "bfloat16"] },
        new(LintRules.Float32, LoadTarget.Vllm, "error") { Edit = config => config["torch_dtype"] = "float32" },
        new(LintRules.MixedGroup, LoadTarget.Vllm, "error") { Packed = [Q], Plain = [K], Skipped = ["k_proj"] },
        new(LintRules.PackedExpertType, LoadTarget.Vllm, "error") { Class = "MixtralForCausalLM", ModelType = "mixtral", Type = "fp4", Packed = [Experts + "w1"] },
        new(LintRules.PlainExperts, LoadTarget.Vllm, "error")
        {
            Class = "MixtralForCausalLM", ModelType = "mixtral", Packed = [Experts + "w1"], Plain = [Experts + "w2"], Skipped = ["w2"],
        },
        new(LintRules.Capitals, LoadTarget.Vllm, "error") { Type = "int8", Packed = ["model.layers.0.mlp.Up_proj"] },
        new(LintRules.OffsetRounded, LoadTarget.Vllm, "note") { Options = ["--double-quant", "true"] },
    ];

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Rules => [.. LintRules.All.Select(rule => rule.Id)];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Rules))]
    public void Lint_SmallestCheckpointThatBreaksTheRule_SaysSo(string rule)
    {
        Broken broken = Assert.Single(Cases, broken => broken.Rule.Id == rule);

        LintReport report = Lint(broken);

        IReadOnlyList<LintFinding> findings = Assert.Single(report.Consumers).Findings;
        LintFinding found = Assert.Single(findings, finding => finding.Rule == rule);
        Assert.Equal(broken.Level, found.Level.ToString().ToLowerInvariant());
        Assert.Equal(broken.Rule.Action, found.Action);
        Assert.Equal(findings.All(finding => finding.Level != LintLevel.Error), report.Passed);
        Assert.Empty(ReportSchema.Problems(LintSarif.Of([report]), Golden.File("schemas", "sarif-2.1.0.json")));
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("fp4")]
    [InlineData("int8")]
    [InlineData("int4")]
    public void Lint_SameCheckpointUnbroken_Loads(string type)
    {
        foreach (LoadTarget target in (LoadTarget[])[LoadTarget.Transformers4, LoadTarget.Transformers5, LoadTarget.Vllm])
        {
            LintReport report = Lint(new Broken(LintRules.NoConfig, target, "none") { Type = type });
            Assert.DoesNotContain(Assert.Single(report.Consumers).Findings, finding => finding.Level != LintLevel.Note);
        }
    }

    [Fact]
    public void LintSarif_OfALayoutThatIsBroken_FitsItsSchemaToo()
    {
        LintReport report = Lint(new Broken(LintRules.NoConfig, LoadTarget.Transformers5, "error") { Drop = Up + ".weight.absmax" });

        Assert.Contains(report.Consumers[0].Findings, finding => finding.Rule.StartsWith("BNB", StringComparison.Ordinal));
        Assert.Empty(ReportSchema.Problems(LintSarif.Of([report]), Golden.File("schemas", "sarif-2.1.0.json")));
        Assert.NotEmpty(ReportSchema.Problems(LintSarif.Of([report]).Replace("\"ruleId\"", "\"rule\"", StringComparison.Ordinal), Golden.File("schemas", "sarif-2.1.0.json")));
    }

    private LintReport Lint(Broken broken)
    {
        (JsonNode settings, IReadOnlyList<TestTensor> parts) = weights.Of(broken.Type, broken.Options);
        if (settings["llm_int8_skip_modules"] is not null) settings["llm_int8_skip_modules"] = new JsonArray([.. broken.Skipped.Select(name => JsonValue.Create(name))]);
        var config = new JsonObject { ["torch_dtype"] = "bfloat16", ["quantization_config"] = settings };
        config[broken.IsDiffusers ? "_class_name" : "model_type"] = broken.IsDiffusers ? broken.Class : broken.ModelType;
        if (!broken.IsDiffusers) config["architectures"] = new JsonArray(broken.Class);
        broken.Edit?.Invoke(config);
        List<TestTensor> tensors =
        [
            .. broken.Packed.SelectMany(module => parts.Select(part => part with { Name = part.Name.Replace(Up, module, StringComparison.Ordinal) })),
            .. broken.Plain.Select(module => TestTensor.Floats(module + ".weight", "BF16", 64, 128)),
        ];
        tensors.RemoveAll(tensor => tensor.Name == broken.Drop);
        string folder = CheckpointBuilder.SingleFile(_folder[Path.GetRandomFileName()], tensors, config.ToJsonString());
        return LintRun.Execute(new LintRequest(folder, [broken.Consumer]), NoEvents.Instance);
    }

    /// <summary>A checkpoint of one packed layer of a Llama, and what is wrong with it.</summary>
    private sealed record Broken(LintRule Rule, LoadTarget Consumer, string Level)
    {
        public string Class { get; init; } = "LlamaForCausalLM";

        public string ModelType { get; init; } = "llama";

        public bool IsDiffusers { get; init; }

        public string Type { get; init; } = "nf4";

        public string[] Options { get; init; } = [];

        public string[] Packed { get; init; } = [Up];

        public string[] Plain { get; init; } = [];

        /// <summary>Of the config's list; what is not saved at all would be missing from an empty one.</summary>
        public string[] Skipped { get; init; } = ["lm_head"];

        public string? Drop { get; init; }

        public Action<JsonObject>? Edit { get; init; }
    }

    /// <summary>One layer packed in each way, made by the tool itself, once.</summary>
    public sealed class Weights : IDisposable
    {
        private readonly TempFolder _folder = new();
        private readonly Dictionary<string, string> _made = new(StringComparer.Ordinal);

        public void Dispose() => _folder.Dispose();

        internal (JsonNode Settings, IReadOnlyList<TestTensor> Parts) Of(string type, string[] options)
        {
            string key = string.Join(' ', [type, .. options]);
            if (!_made.TryGetValue(key, out string? output))
            {
                string source = CheckpointBuilder.SingleFile(_folder[$"source{_made.Count}"], [TestTensor.Floats(Up + ".weight", "BF16", 64, 128)]);
                output = _made[key] = _folder[$"out{_made.Count}"];
                string[] plain = type is "nf4" or "fp4" && !options.Contains("--double-quant") ? ["--double-quant", "false"] : [];
                ToolRun.Succeed(["quantize", source, "--output", output, "--type", type, .. plain, .. options]);
            }

            return (
                JsonNode.Parse(File.ReadAllText(Path.Combine(output, "config.json")))!["quantization_config"]!.DeepClone(),
                [.. OutputFolder.Tensors(output).Select(tensor => new TestTensor(
                    tensor.Key, tensor.Value.Info.DType.Name(), [.. tensor.Value.Info.Shape.Dimensions], tensor.Value.Bytes))]);
        }
    }
}
