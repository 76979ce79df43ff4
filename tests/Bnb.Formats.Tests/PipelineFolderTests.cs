using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

/// <summary>What a pipeline's folder holds, by its index.</summary>
public sealed class PipelineFolderTests : IDisposable
{
    private const string Weights = "diffusion_pytorch_model.safetensors";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_Pipeline_HasTheComponentsWithWeightsInTheOrderOfTheIndex()
    {
        Index("""{"_class_name": "X", "vae": ["diffusers", "AutoencoderKL"], "requires": true, "none": [null, null], "unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", "S"]}""");
        Component("vae", Weights);
        Component("unet", Weights);
        _folder.Write("pipe/scheduler/scheduler_config.json", "{}"u8);
        _folder.Write("pipe/other.safetensors", CheckpointBuilder.Safetensors(TestTensor.Floats("a", "F32", 2)));

        PipelineFolder pipeline = Open();

        Assert.Equal([("vae", "AutoencoderKL"), ("unet", "UNet2DModel")], pipeline.Components.Select(component => (component.Name, component.Class)));
        Assert.Equal(["model_index.json", "scheduler/scheduler_config.json"], pipeline.SideFiles.Copied.Select(file => file.RelativeName));
        Assert.Equal(["other.safetensors"], pipeline.SideFiles.LeftOut);
        Assert.Empty(pipeline.Notes);
    }

    [Fact]
    public void Open_IndexThatNamesAFolderThatIsNotThere_SaysSo()
    {
        Index("""{"unet": ["diffusers", "UNet2DModel"], "image_encoder": ["transformers", "CLIPVisionModel"]}""");
        Component("unet", Weights);

        Assert.Contains("image_encoder", Assert.Single(Open().Notes), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("")]
    public void Open_NameThatLeadsElsewhere_IsNoComponent(string name)
    {
        Index($$"""{"{{name}}": ["diffusers", "UNet2DModel"]}""");
        _folder.Write("outside/" + Weights, CheckpointBuilder.Safetensors(TestTensor.Floats("a", "F32", 2)));

        Assert.Empty(Open().Components);
    }

    [Theory]
    [InlineData("[]", FormatError.ConfigSchema)]
    [InlineData("{", FormatError.ConfigNotJson)]
    public void Open_IndexThatIsNone_IsRefused(string text, FormatError error)
    {
        Index(text);

        Assert.Equal(error, Assert.Throws<CheckpointFormatException>(Open).Error);
    }

    [Fact]
    public void Files_OfAVariant_HavePlainNames()
    {
        Index("""{"unet": ["diffusers", "UNet2DModel"], "vae": ["diffusers", "AutoencoderKL"]}""");
        Component("unet", Weights);
        Component("unet", "diffusion_pytorch_model.fp16.safetensors");
        Component("vae", Weights);

        PipelineFolder pipeline = Open("fp16");

        Assert.Equal([true, false], pipeline.Components.Select(component => component.HasVariant));
        SideFile[] files = [.. pipeline.Components[0].Files()];
        Assert.Equal(["unet/" + Weights, "unet/config.json"], files.Select(file => file.RelativeName));
        Assert.EndsWith(".fp16.safetensors", files[0].Path, StringComparison.Ordinal);
        Assert.Equal(FormatError.FileMissing, Assert.Throws<CheckpointFormatException>(() => Open("ema")).Error);
    }

    [Fact]
    public void IsAt_ModelWithAPipelinesIndexBesideIt_IsFalse()
    {
        Index("{}");
        Assert.True(PipelineFolder.IsAt(_folder["pipe"]));

        _folder.Write("pipe/model.safetensors", CheckpointBuilder.Safetensors(TestTensor.Floats("a", "F32", 2)));

        Assert.False(PipelineFolder.IsAt(_folder["pipe"]));
        Assert.False(PipelineFolder.IsAt(_folder["pipe", "model_index.json"]));
    }

    private void Index(string text) => _folder.Write("pipe/model_index.json", System.Text.Encoding.UTF8.GetBytes(text));

    private void Component(string name, string weights)
    {
        _folder.Write($"pipe/{name}/{weights}", CheckpointBuilder.Safetensors(TestTensor.Floats("a", "F32", 2)));
        _folder.Write($"pipe/{name}/config.json", "{}"u8);
    }

    private PipelineFolder Open() => Open(null);

    private PipelineFolder Open(string? variant) => PipelineFolder.Open(_folder["pipe"], followSymlinks: false, variant);
}
