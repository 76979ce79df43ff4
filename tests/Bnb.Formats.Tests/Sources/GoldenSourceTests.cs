using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.PackedWords;
using Bnb.Formats.ScaledFloats;
using Bnb.Formats.Tensors;
using Bnb.TestKit;

namespace Bnb.Formats.Tests.Sources;

/// <summary>The files that the libraries of today's formats wrote are recognized whole, with the shapes that they decode to.</summary>
public sealed class GoldenSourceTests
{
    [Theory]
    [InlineData("fp8_block", "tensors.safetensors", "expected.safetensors")]
    [InlineData("fp8_block/compressed_tensors", "tensors.safetensors", "expected.safetensors")]
    [InlineData("fp8_channel", "tensors.safetensors", "expected.safetensors")]
    [InlineData("fp8_tensor", "tensors.safetensors", "expected.safetensors")]
    [InlineData("fp8_tensor/autofp8", "model.safetensors", "expected/model.safetensors")]
    [InlineData("mxfp4", "tensors.safetensors", "expected.safetensors")]
    [InlineData("mxfp4/compressed_tensors", "tensors.safetensors", "expected.safetensors")]
    [InlineData("nvfp4/compressed_tensors", "tensors.safetensors", "expected.safetensors")]
    [InlineData("nvfp4/modelopt", "tensors.safetensors", "expected.safetensors")]
    [InlineData("nvfp4/modelopt", "tensors_by_modelopt.safetensors", "expected_by_modelopt.safetensors")]
    public void Read_FloatSource_HasEveryWeightInItsShape(string folder, string file, string expected)
    {
        QuantizedCheckpoint read = Read(folder, file);
        Checkpoint dense = Checkpoint.Open(Path.Combine(Golden.File("sources", folder), expected), requireConfig: false);

        Assert.Empty(read.Problems);
        Assert.Empty(read.Plain);
        Assert.All(read.Weights, weight => Assert.IsType<ScaledFloatWeight>(weight));
        foreach (CheckpointTensor tensor in dense.Tensors.Where(tensor => IsWeight(tensor.Name)))
            Assert.Equal(tensor.Shape, read.Weights.Single(weight => weight.Name == tensor.Name).DenseShape);
        Assert.Equal(dense.Tensors.Count(tensor => IsWeight(tensor.Name)), read.Weights.Count);

        static bool IsWeight(string name) => !name.Contains(".to_bf16", StringComparison.Ordinal)
            && !name.Contains("transformers_wrong", StringComparison.Ordinal) && !name.EndsWith("via_ct_converter", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gptq")]
    [InlineData("awq")]
    public void Read_WordSource_HasEveryWeightInItsShape(string type)
    {
        QuantizedCheckpoint read = Read("gptq_awq/" + type, "tensors.safetensors");
        Checkpoint dense = Checkpoint.Open(Golden.File("sources", "gptq_awq", type, "expected.safetensors"), requireConfig: false);

        Assert.Empty(read.Problems);
        Assert.All(read.Plain, tensor => Assert.EndsWith(".bias", tensor.Name, StringComparison.Ordinal));
        foreach (CheckpointTensor tensor in dense.Tensors.Where(tensor => tensor.Name.EndsWith(".weight.f16", StringComparison.Ordinal)))
        {
            QuantizedWeight weight = read.Weights.Single(weight => weight.Name == tensor.Name[..^4]);
            Assert.Equal((type, tensor.Shape), (weight.Type, weight.DenseShape));
            Assert.Equal(weight.Name.Contains("8bit", StringComparison.Ordinal) ? 8 : 4, ((PackedWordWeight)weight).Bits);
        }

        Assert.Equal(dense.Tensors.Count(tensor => tensor.Name.EndsWith(".weight.f16", StringComparison.Ordinal)), read.Weights.Count);
    }

    [Theory]
    [InlineData("gptq", true)]
    [InlineData("gptq_v2", false)]
    public void Read_Gptq_TakesTheVersionFromTheConfig(string format, bool lessOne)
    {
        using var folder = new TempFolder();
        string path = folder.Write("model.safetensors", File.ReadAllBytes(Golden.File("sources", "gptq_awq", "gptq", "tensors.safetensors")));
        folder.Write("config.json", System.Text.Encoding.UTF8.GetBytes(
            $$$"""{"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128, "checkpoint_format": "{{{format}}}"}}"""));

        QuantizedCheckpoint read = QuantizedCheckpoint.Read(Checkpoint.Open(path, requireConfig: true));

        Assert.All(read.Weights.Cast<GptqWeight>(), weight => Assert.Equal(lessOne, weight.StoresZerosLessOne));
    }

    [Theory]
    [InlineData("fp8_block/deepseek_v3", "fp8")]
    [InlineData("fp8_block/llama", "fp8")]
    [InlineData("mxfp4/gpt_oss", "mxfp4")]
    public void Read_WholeModel_LeavesThePlainTensors(string folder, string type)
    {
        QuantizedCheckpoint read = QuantizedCheckpoint.Read(Checkpoint.Open(Golden.File("sources", folder), requireConfig: true));

        Assert.Empty(read.Problems);
        Assert.All(read.Weights, weight => Assert.Equal(type, weight.Type));
        Assert.DoesNotContain(read.Plain, tensor => tensor.Name.Contains("scale", StringComparison.Ordinal));
        Assert.Contains(read.Plain, tensor => tensor.Name == "lm_head.weight");
    }

    [Fact]
    public void WeightBlock_OfEitherLibrary_IsRead()
    {
        Assert.Equal((128L, 64L), Settings("""{"weight_block_size": [128, 64]}""").WeightBlock);
        Assert.Equal((32L, 16L), Settings("""{"config_groups": {"a": {"weights": {"block_structure": [32, 16]}}}}""").WeightBlock);
        foreach (string odd in (string[])["null", "[128]", "[0, 128]", "[\"128\", 128]", "[1e30, 128]", "\"128x128\""])
            Assert.Null(Settings($$"""{"weight_block_size": {{odd}}}""").WeightBlock);

        static QuantizationSettings Settings(string json) =>
            ModelConfig.Parse(System.Text.Encoding.UTF8.GetBytes("{\"quantization_config\": " + json + "}"), "config.json").Quantization!;
    }

    private static QuantizedCheckpoint Read(string folder, string file) =>
        QuantizedCheckpoint.Read(Checkpoint.Open(Path.Combine(Golden.File("sources", folder), file), requireConfig: false));
}
