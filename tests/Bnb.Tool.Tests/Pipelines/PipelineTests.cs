using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Quantizing;
using Bnb.Formats.Checkpoints;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Pipelines;

/// <summary><c>quantize</c> of a diffusers pipeline's folder: chosen components quantized, the others copied, one output.</summary>
public sealed class PipelineTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _source;

    public PipelineTests() => _source = SmallPipeline.Write(_folder, "pipe");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_Pipeline_QuantizesTheDenoiserAndCopiesTheRest()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--max-shard-size", "12kB");

        Assert.Equal(
            [
                "README.md", "bnb-manifest.json", "model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json", "text_encoder/model.safetensors",
                "text_encoder_2/config.json", "text_encoder_2/model.safetensors", "tokenizer/vocab.json", "transformer/config.json",
                "transformer/diffusion_pytorch_model-00001-of-00002.safetensors", "transformer/diffusion_pytorch_model-00002-of-00002.safetensors",
                "transformer/diffusion_pytorch_model.safetensors.index.json", "vae/config.json", "vae/diffusion_pytorch_model.safetensors",
            ],
            Files("out"));
        foreach (string copied in Files("out").Where(name => !name.StartsWith("transformer/", StringComparison.Ordinal) && name is not ("README.md" or "bnb-manifest.json")))
            Assert.Equal(File.ReadAllBytes(Path.Combine(_source, copied)), File.ReadAllBytes(_folder["out", copied]));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(_folder["out", "transformer/config.json"]));
        Assert.Equal("nf4", config.RootElement.GetProperty("quantization_config").GetProperty("bnb_4bit_quant_type").GetString());
        Assert.Contains(SmallPipeline.Query + ".absmax", OutputFolder.Tensors(_folder["out", "transformer"]).Keys);
    }

    [Fact]
    public void Quantize_Component_IsWhatItIsByItself()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--components", "text_encoder_2,transformer", "--type", "int8");

        foreach (string component in (string[])["transformer", "text_encoder_2"])
        {
            ToolRun.Succeed("quantize", Path.Combine(_source, component), "--output", _folder["alone", component], "--type", "int8");
            Assert.Equal(OutputFolder.FingerprintOfModel(_folder["alone", component]), OutputFolder.FingerprintOfModel(_folder["out", component]));
        }
    }

    [Fact]
    public void Quantize_Pipeline_ManifestAndCardAreOfTheWholeFolder()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--components", "transformer,text_encoder_2", "--hash-source");

        OutputManifest manifest = OutputManifest.Find(_folder["out"])!;
        Assert.Equal(Files("out").Where(name => name != OutputManifest.FileName), manifest.Files.Select(file => file.Name));
        Assert.Equal(["text_encoder_2", "transformer"], manifest.Options.GetProperty("components").EnumerateArray().Select(name => name.GetString()));
        Assert.Equal(3, manifest.Contents.Count);
        Assert.All(manifest.Sources, file => Assert.True(File.Exists(Path.Combine(_source, file.Name)), file.Name));
        ToolRun.Succeed("verify", _folder["out"], "--manifest");
        string card = File.ReadAllText(_folder["out", "README.md"]);
        Assert.Contains("| components | `text_encoder_2`, `transformer`; the others as they were |\n", card, StringComparison.Ordinal);
        Assert.EndsWith("# Small\n", card, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_SamePipelineAgain_HasNothingToDo()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"]);
        string before = OutputFolder.Fingerprint(_folder["out"]);

        Assert.Contains("nothing to do", ToolRun.Succeed("quantize", _source, "--output", _folder["out"]).Out, StringComparison.OrdinalIgnoreCase);
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--overwrite");

        Assert.Equal(before, OutputFolder.Fingerprint(_folder["out"]));
    }

    [Fact]
    public void Quantize_PipelineByWorkers_IsTheSame()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["whole"], "--components", "transformer,text_encoder_2", "--max-shard-size", "12kB");

        for (int i = 1; i <= 3; i++)
            ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--components", "transformer,text_encoder_2", "--max-shard-size", "12kB", "--worker", $"{i}/3");

        Assert.Equal(OutputFolder.Fingerprint(_folder["whole"]), OutputFolder.Fingerprint(_folder["out"]));
    }

    [Fact]
    public void Quantize_PipelineThatWasBegun_GoesOn()
    {
        string[] command = ["quantize", _source, "--output", _folder["out"], "--components", "transformer,text_encoder_2", "--max-shard-size", "12kB"];
        ToolRun.Succeed([.. command, "--worker", "2/2"]);

        Refusal.AssertIs(ToolRun.Of("finish", _folder["out"]), ExitCode.CannotResume, "UNFINISHED");
        Assert.False(Path.Exists(_folder["out"]));
        // Without it nobody takes the staging folder for a pipeline.
        Assert.False(File.Exists(Path.Combine(StagingNames.FolderFor(OutputPlace.Of(_folder["out"])), "model_index.json")));
        JsonElement line = JsonResult.Lines(ToolRun.Succeed([.. command, "--json"])).First(line => line.GetProperty("type").GetString() == "quantized");

        Assert.True(line.GetProperty("files_reused").GetInt32() > 0);
        ToolRun.Succeed("verify", _folder["out"], "--manifest");
        ToolRun.Succeed("verify", _folder["out"], "--source", _source);
    }

    [Fact]
    public void Quantize_PipelineThatFails_LeavesNothing()
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(_source, "text_encoder_2", "model.safetensors"));
        // bfloat16 NaN as the last value.
        bytes[^2] = bytes[^1] = 0xff;
        File.WriteAllBytes(Path.Combine(_source, "text_encoder_2", "model.safetensors"), bytes);

        ToolRun run = ToolRun.Of("quantize", _source, "--output", _folder["out"], "--components", "transformer,text_encoder_2");

        Assert.Equal(ExitCode.DataCheckFailed, run.Exit);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Theory]
    [InlineData("unet")]
    [InlineData("tokenizer")]
    [InlineData("transformer,text_encoder_3")]
    public void Quantize_UnknownComponent_ListsThoseThatAreThere(string components)
    {
        ToolRun run = ToolRun.Of("quantize", _source, "--output", _folder["out"], "--components", components);

        Refusal.AssertIs(run, ExitCode.Usage, "COMPONENTS");
        Assert.Contains("text_encoder, text_encoder_2, transformer, vae", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Fact]
    public void Quantize_ComponentsOfAModel_IsRefused() => Refusal.AssertIs(
        ToolRun.Of("quantize", Path.Combine(_source, "transformer"), "--output", _folder["out"], "--components", "transformer"), ExitCode.Usage, "USAGE");

    [Fact]
    public void Quantize_PipelineToAFormThatDiffusersDoesNotRead_IsRefused()
    {
        Refusal.AssertIs(ToolRun.Of("quantize", _source, "--output", _folder["out"], "--type", "int4"), ExitCode.InputUnsupported, "LOADS-IN");

        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--type", "int4", "--group-size", "64", "--components", "text_encoder_2", "--loads-in", "transformers5,diffusers");
    }

    [Fact]
    public void Quantize_PatternOfOneComponent_ConcernsThatOne()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--components", "transformer,text_encoder_2", "--exclude", "*.to_k");

        Assert.DoesNotContain("transformer_blocks.0.attn.to_k.weight.absmax", OutputFolder.Tensors(_folder["out", "transformer"]).Keys);
        Assert.Contains(SmallPipeline.EncoderQuery + ".absmax", OutputFolder.Tensors(_folder["out", "text_encoder_2"]).Keys);
        Assert.NotEqual(ExitCode.Done, ToolRun.Of("quantize", _source, "--output", _folder["none"], "--exclude", "*.nowhere").Exit);
    }

    [Fact]
    public void PrintConfig_OfAPipeline_MakesTheSame()
    {
        string[] options = ["--components", "transformer", "--dtype", "float16", "--type", "fp4", "--exclude", "*.to_k"];
        ToolRun.Succeed(["quantize", _source, "--output", _folder["typed"], .. options]);

        File.WriteAllText(_folder["recipe.json"], ToolRun.Succeed(["quantize", _source, "--print-config", .. options]).Out);
        ToolRun.Succeed("quantize", _source, "--output", _folder["read"], "--config", _folder["recipe.json"]);

        Assert.Equal(OutputFolder.Fingerprint(_folder["typed"]), OutputFolder.Fingerprint(_folder["read"]));
    }

    [Fact]
    public void QuantizeJson_OfAPipeline_IsALineForEachComponent()
    {
        ToolRun run = ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--components", "transformer,text_encoder_2", "--json");

        List<JsonElement> lines = [.. JsonResult.Lines(run).Where(line => line.GetProperty("type").GetString() == "quantized")];
        Assert.Equal(["text_encoder_2", "transformer"], lines.Select(line => line.GetProperty("component").GetString()));
        Assert.All(lines, line => Assert.All(
            line.GetProperty("files").EnumerateArray(),
            file => Assert.Equal(file.GetProperty("bytes").GetInt64(), new FileInfo(_folder["out", file.GetProperty("name").GetString()!]).Length)));
    }

    [Fact]
    public void Verify_Pipeline_VerifiesEachQuantizedComponent()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--components", "transformer,text_encoder_2", "--scale", "search");

        ToolRun run = ToolRun.Succeed("verify", _folder["out"], "--source", _source, "--json", "--report", _folder["report.json"]);

        Assert.Equal(2, JsonResult.Lines(run).Count(line => line.GetProperty("type").GetString() == "verification"));
        Assert.True(File.Exists(_folder["report.transformer.json"]) && File.Exists(_folder["report.text_encoder_2.json"]));
    }

    [Fact]
    public void Verify_DamagedComponent_Fails()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--components", "transformer,text_encoder_2");
        string path = _folder["out", "text_encoder_2/model.safetensors"];
        byte[] bytes = File.ReadAllBytes(path);
        long codes = Checkpoint.Open(path, requireConfig: false).Tensors.Single(tensor => tensor.Name == SmallPipeline.EncoderQuery) is var tensor ? tensor.File.DataStart + tensor.Info.Begin : 0;
        for (int i = 0; i < 512; i++) bytes[codes + i] ^= 0x77;
        File.WriteAllBytes(path, bytes);

        Assert.Equal(ExitCode.VerificationFailed, ToolRun.Of("verify", _folder["out"], "--source", _source).Exit);
    }

    [Fact]
    public void Inspect_Pipeline_ShowsEveryComponent()
    {
        ToolRun run = ToolRun.Succeed("inspect", _source, "--json");

        Assert.Equal(4, JsonResult.Lines(run).Count(line => line.GetProperty("type").GetString() == "checkpoint"));
        Assert.Contains(SmallPipeline.Query, ToolRun.Succeed("inspect", _source).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Explain_Pipeline_TellsOfEveryComponent()
    {
        ToolRun all = ToolRun.Succeed("explain", _source), some = ToolRun.Succeed("explain", _source, "*.to_k.weight");

        Assert.Contains("transformer: known to diffusers\n", all.Out, StringComparison.Ordinal);
        Assert.Contains($"{SmallPipeline.EncoderQuery}: quantize", all.Out, StringComparison.Ordinal);
        Assert.Equal(2, some.Out.TrimEnd('\n').Split('\n').Length);
        Assert.Equal(ExitCode.Usage, ToolRun.Of("explain", _source, "*.nowhere").Exit);
    }

    [Fact]
    public void Evaluate_Pipeline_NamesItsComponents()
    {
        ToolRun run = ToolRun.Of("evaluate", _source, "--source", _source);

        Assert.NotEqual(ExitCode.Done, run.Exit);
        Assert.Contains("text_encoder, text_encoder_2, transformer, vae", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Components_ByDefault_IncludeLargeTextEncoders()
    {
        const long Side = 32_768;
        string header = $"{{\"shared.weight\":{{\"dtype\":\"F8_E4M3\",\"shape\":[{Side},{Side}],\"data_offsets\":[0,{Side * Side}]}}}}";
        string path = Path.Combine(_source, "text_encoder_2", "model.safetensors");
        byte[] raw = CheckpointBuilder.Raw(header, []);
        using (FileStream file = File.Create(path))
        {
            file.Write(raw);
            // Sparse: a gibibyte that is nowhere.
            file.SetLength(raw.Length + (Side * Side));
        }

        IReadOnlyList<PipelineComponent> chosen = ComponentChoice.Of(PipelineFolder.Open(_source, followSymlinks: false, variant: null), []);

        Assert.Equal(["text_encoder_2", "transformer"], chosen.Select(component => component.Name));
    }

    [Fact]
    public void Quantize_PipelineWithoutADenoiser_AsksForComponents()
    {
        File.WriteAllText(Path.Combine(_source, "model_index.json"), "{\"_class_name\": \"X\", \"vae\": [\"diffusers\", \"AutoencoderKL\"], \"controlnet\": [\"diffusers\", \"FluxControlNetModel\"]}");

        ToolRun run = ToolRun.Of("quantize", _source, "--output", _folder["out"]);

        Refusal.AssertIs(run, ExitCode.Usage, "COMPONENTS");
        Assert.Contains("--components", run.Error, StringComparison.Ordinal);
    }

    private List<string> Files(string name) =>
    [
        .. Directory.EnumerateFiles(_folder[name], "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(_folder[name], path).Replace(Path.DirectorySeparatorChar, '/')).Order(StringComparer.Ordinal),
    ];
}
