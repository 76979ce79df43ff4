using System.Globalization;
using System.Text;
using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Pipelines;

/// <summary>
/// <c>plan</c> of a pipeline like Wan 2.2, whose two denoisers have tensors of the same names, one of which 4 bits cannot hold: one
/// recipe for the run, with names as <c>quantize</c> takes them.
/// </summary>
public sealed class PipelinePlanTests : IDisposable
{
    private const string Planted = "blocks.1.attn1.to_out.0";
    private const int Width = 64;

    private readonly TempFolder _folder = new();
    private readonly string _source;

    public PipelinePlanTests()
    {
        _source = _folder["pipe"];
        Text("model_index.json", """
            {"_class_name": "WanPipeline", "scheduler": ["diffusers", "UniPCMultistepScheduler"], "text_encoder": ["transformers", "UMT5EncoderModel"],
             "transformer": ["diffusers", "WanTransformer3DModel"], "transformer_2": ["diffusers", "WanTransformer3DModel"], "vae": ["diffusers", "AutoencoderKLWan"]}
            """);
        Text("scheduler/scheduler_config.json", "{}\n");
        foreach (string component in (string[])["transformer", "transformer_2"])
        {
            Text($"{component}/config.json", "{\"_class_name\": \"WanTransformer3DModel\"}\n");
            Weights($"{component}/diffusion_pytorch_model.safetensors", [.. Denoiser(component)]);
        }

        Text("text_encoder/config.json", "{\"architectures\": [\"UMT5EncoderModel\"], \"model_type\": \"umt5\"}\n");
        Weights("text_encoder/model.safetensors", NormalWeights.Of("encoder.block.0.layer.0.SelfAttention.q.weight", "BF16", 50, Width, Width));
        Text("vae/config.json", "{\"_class_name\": \"AutoencoderKLWan\"}\n");
        Weights("vae/diffusion_pytorch_model.safetensors", NormalWeights.Of("decoder.mid_block.attentions.0.proj.weight", "F32", 60, Width, Width, 1, 1));
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--target-bits")]
    [InlineData("--target-size")]
    [InlineData("--max-error")]
    public void Plan_PlantedLayerOfOneComponent_IsKeptThereAndTheSizesAreExact(string goal)
    {
        JsonElement first = Plan("--target-bits", "8.6");
        string value = goal switch
        {
            "--target-bits" => "8.6",
            // Some slack: headers differ with the choice.
            "--target-size" => (first.GetProperty("bytes").GetInt64() * 101 / 100).ToString(CultureInfo.InvariantCulture) + "B",
            _ => (first.GetProperty("expected_error").GetDouble() + 1e-6).ToString("R", CultureInfo.InvariantCulture),
        };
        JsonElement plan = Plan(goal, value);

        Assert.Equal([$"transformer_2/{Planted}=keep"], Overrides(plan).Where(rule => rule.EndsWith("=keep", StringComparison.Ordinal)));
        ToolRun made = ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--config", _folder["recipe.json"], "--json");
        string[] components = ["text_encoder", "transformer", "transformer_2", "vae"];
        Assert.Equal(plan.GetProperty("bytes").GetInt64(), components.Sum(component => OutputFolder.WeightFileBytes(_folder["out", component])));
        Assert.Equal(components.Order(), plan.GetProperty("components").EnumerateArray().Select(one => one.GetProperty("component").GetString()).Order());
        foreach (JsonElement one in plan.GetProperty("components").EnumerateArray())
        {
            string component = one.GetProperty("component").GetString()!;
            Assert.Equal(component.StartsWith("transformer", StringComparison.Ordinal), one.GetProperty("quantized").GetBoolean());
            Assert.Equal(OutputFolder.WeightFileBytes(_folder["out", component]), one.GetProperty("bytes").GetInt64());
        }

        Assert.Equal(
            JsonResult.Lines(made).Where(line => line.GetProperty("type").GetString() == "quantized").Select(line => line.GetProperty("bits_per_parameter").GetDouble()),
            plan.GetProperty("components").EnumerateArray().Where(one => one.GetProperty("quantized").GetBoolean()).Select(one => one.GetProperty("bits_per_parameter").GetDouble()));
        JsonElement all = JsonResult.Lines(ToolRun.Succeed("inspect", _folder["out"], "--json")).Single(line => line.GetProperty("type").GetString() == "pipeline");
        Assert.Equal(all.GetProperty("bits_per_parameter").GetDouble(), plan.GetProperty("bits_per_parameter").GetDouble(), 1e-4);
        Assert.Contains(Planted + ".weight.absmax", OutputFolder.Tensors(_folder["out", "transformer"]).Keys);
        Assert.DoesNotContain(Planted + ".weight.absmax", OutputFolder.Tensors(_folder["out", "transformer_2"]).Keys);
        ToolRun.Succeed("verify", _folder["out"], "--source", _source);
        ToolRun.Succeed("lint", _folder["out"]);
    }

    [Fact]
    public void Plan_ChosenComponents_AreInTheRecipe()
    {
        JsonElement plan = Plan("--target-bits", "16", "--components", "transformer_2,text_encoder");

        Assert.Contains("\"components\": \"text_encoder,transformer_2\"", File.ReadAllText(_folder["recipe.json"]), StringComparison.Ordinal);
        Assert.Equal(
            ["text_encoder", "transformer_2"],
            plan.GetProperty("components").EnumerateArray().Where(one => one.GetProperty("quantized").GetBoolean()).Select(one => one.GetProperty("component").GetString()));
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--config", _folder["recipe.json"]);
        Assert.Equal(plan.GetProperty("bytes").GetInt64(), Directory.GetDirectories(_folder["out"]).Sum(OutputFolder.WeightFileBytes));
        Assert.Equal(File.ReadAllBytes(Path.Combine(_source, "transformer", "config.json")), File.ReadAllBytes(_folder["out", "transformer", "config.json"]));
    }

    [Fact]
    public void Plan_PipelineOutOfReach_SaysTheSmallestAndWhatIsCopied()
    {
        ToolRun run = ToolRun.Of("plan", _source, "--target-size", "10kB");

        Refusal.AssertIs(run, ExitCode.Usage, "PLAN-TARGET");
        Assert.Contains("text_encoder, vae", run.Error, StringComparison.Ordinal);
        string smallest = System.Text.RegularExpressions.Regex.Match(run.Error, @"smallest:?\s+([0-9,]+) bytes").Groups[1].Value.Replace(",", "", StringComparison.Ordinal);
        Assert.Equal(long.Parse(smallest, CultureInfo.InvariantCulture), Plan("--target-size", smallest + "B").GetProperty("bytes").GetInt64());
    }

    [Fact]
    public void Plan_OrderOfPatternsThatAFileCannotHold_IsWrittenPerComponent()
    {
        string[] options = ["--exclude", "transformer/*", "--include", "*.attn1.to_q", "--exclude", "transformer_2/blocks.0.*"];
        JsonElement plan = Plan(["--target-bits", "20", .. options]);

        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--config", _folder["recipe.json"]);
        Assert.Equal(plan.GetProperty("bytes").GetInt64(), Directory.GetDirectories(_folder["out"]).Sum(OutputFolder.WeightFileBytes));
    }

    [Theory]
    [InlineData("transformer_2/blocks.1.attn1.to_q", 0, 1)]
    [InlineData("transformer_2/*to_q.weight", 0, 2)]
    [InlineData("*/blocks.1.attn1.to_q", 1, 1)]
    [InlineData("blocks.1.attn1.to_q", 1, 1)]
    [InlineData("re:transformer(_2)?/.*to_q", 2, 2)]
    [InlineData("{transformer,vae}/*to_q", 2, 0)]
    public void Exclude_NameOfAComponent_ConcernsThatOne(string pattern, int first, int second)
    {
        ToolRun run = ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--exclude", pattern, "--json");

        Assert.Equal([first, second], Excluded(run, "user-exclude"));
        ToolRun kept = ToolRun.Succeed("quantize", _source, "--dry-run", "--override", pattern + "=keep", "--json");
        Assert.Equal([first, second], Excluded(kept, "user-exclude"));
        ToolRun.Succeed("lint", _folder["out"]);
        ToolRun.Succeed("verify", _folder["out"], "--source", _source);
    }

    [Fact]
    public void Patterns_OfOtherCommands_TakeTheComponentsName()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"]);

        ToolRun verified = ToolRun.Succeed("verify", _folder["out"], "--source", _source, "--include", "transformer_2/*.to_q", "--json");
        JsonElement line = JsonResult.Lines(verified).Single(line => line.GetProperty("type").GetString() == "verification");
        Assert.Equal(2, line.GetProperty("layers_checked").GetInt32());
        Assert.EndsWith("transformer_2", line.GetProperty("quantized").GetString(), StringComparison.Ordinal);
        Text("policy.json", """{"rules": [{"match": "transformer_2/*", "max_rel_error": 0.000001}]}""");
        ToolRun strict = ToolRun.Of("verify", _folder["out"], "--source", _source, "--policy", Path.Combine(_source, "policy.json"), "--json");
        Assert.Equal(ExitCode.VerificationFailed, strict.Exit);
        Assert.Equal(
            [true, false],
            JsonResult.Lines(strict).Where(line => line.GetProperty("type").GetString() == "verification").Select(line => line.GetProperty("passed").GetBoolean()));
        JsonElement explained = JsonResult.Of(ToolRun.Succeed("explain", _source, "transformer_2/*.to_q", "--json"));
        Assert.Equal("transformer_2", explained.GetProperty("component").GetString());
    }

    private static int[] Excluded(ToolRun run, string rule) =>
    [
        .. JsonResult.Lines(run).Where(line => line.GetProperty("type").GetString() is "plan" or "quantized")
            .Select(line => line.GetProperty("tensors").EnumerateArray().Count(tensor => tensor.GetProperty("rule").GetString() == rule)),
    ];

    private static List<string> Overrides(JsonElement plan) => [.. plan.GetProperty("overrides").EnumerateArray().Select(rule => rule.GetString()!)];

    private JsonElement Plan(params IReadOnlyList<string> options)
    {
        JsonElement plan = JsonResult.Of(ToolRun.Succeed(["plan", _source, "--output", _folder["recipe.json"], "--json", .. options]));
        Assert.Empty(Verification.ReportSchema.Problems(plan.GetRawText(), Path.Combine("schemas", "recipe.schema.json")));
        return plan;
    }

    private static IEnumerable<TestTensor> Denoiser(string component)
    {
        int seed = component.Length;
        yield return NormalWeights.Of("patch_embedding.weight", "BF16", seed, Width, 4, 1, 2, 2);
        for (int block = 0; block < 2; block++)
        {
            foreach (string part in (string[])["attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "ffn.net.0.proj", "ffn.net.2"])
            {
                TestTensor tensor = NormalWeights.Of($"blocks.{block}.{part}.weight", "BF16", seed++, Width, Width);
                // One large value in each block of 32, the others just below half of the smallest code: all of those become 0.
                for (int i = 0; component == "transformer_2" && $"blocks.{block}.{part}" == Planted && i < Width * Width; i++)
                {
                    float value = i % 32 == i / 32 % 32 ? 0.06f : (i % 2 == 0 ? 0.0023f : -0.0026f) + (i % 7 * 1e-5f);
                    System.Buffers.Binary.BinaryPrimitives.WriteUInt16LittleEndian(tensor.Data.AsSpan(i * 2), (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
                }

                yield return tensor;
            }
        }
    }

    private void Text(string path, string text) => _folder.Write($"pipe/{path}", Encoding.UTF8.GetBytes(text));

    private void Weights(string path, params TestTensor[] tensors) => _folder.Write($"pipe/{path}", CheckpointBuilder.Safetensors(tensors));
}
