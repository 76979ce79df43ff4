using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

/// <summary>One model of weights of every kind, from files that the original libraries wrote.</summary>
public sealed class QuantizedCheckpointTests
{
    [Theory]
    [InlineData("nf4-dq", "nf4")]
    [InlineData("fp4", "fp4")]
    [InlineData("int8", "int8")]
    public void Read_GoldenModel_HasItsWeightsInFileOrder(string folder, string type)
    {
        QuantizedCheckpoint read = Read(Golden.File("tiny-llama", folder, "model.safetensors"));

        Assert.Empty(read.Problems);
        read.ThrowIfBroken();
        Assert.Equal(14, read.Weights.Count);
        Assert.Equal(7, read.Plain.Count);
        Assert.All(read.Weights, weight => Assert.Equal(type, weight.Type));
        List<CheckpointTensor> stored = [.. read.Source.Tensors.Where(tensor => tensor.DType is DType.U8 or DType.I8 && tensor.Name.EndsWith(".weight", StringComparison.Ordinal))];
        Assert.Equal(stored, read.Weights.Select(weight => weight.Stored));
        Assert.Equal(stored.Select(tensor => tensor.Name), read.Weights.Select(weight => weight.Name));
    }

    [Fact]
    public void Read_GoldenInt8Weight_HasItsParts()
    {
        var weight = (Int8Weight)Read(Golden.File("tiny-llama", "int8", "model.safetensors")).Weights
            .Single(weight => weight.Name == "model.layers.0.mlp.down_proj.weight");

        Assert.Equal((256L, 688L, 256L * 688), (weight.Rows, weight.Columns, weight.ValueCount));
        Assert.Equal(
            ["model.layers.0.mlp.down_proj.weight", "model.layers.0.mlp.down_proj.SCB", "model.layers.0.mlp.down_proj.weight_format"],
            weight.Parts.Select(part => part.Name));
    }

    [Fact]
    public void Read_GoldenInt4Files_HaveTheirWeight()
    {
        string[] files = Directory.GetFiles(Golden.File("int4"), "*.safetensors");

        Assert.NotEmpty(files);
        foreach (string file in files)
        {
            QuantizedCheckpoint read = Read(file);

            Assert.Empty(read.Problems);
            var weight = (Int4Weight)Assert.Single(read.Weights);
            CheckpointTensor dense = read.Plain.Single(tensor => tensor.Name == "A");
            Assert.Equal(("weight", "int4", "weight_packed"), (weight.Name, weight.Type, weight.Stored.Name));
            Assert.Equal((dense.Shape[0], dense.Shape[1]), (weight.Rows, weight.Columns));
            Assert.Equal(file.Contains("_sym_", StringComparison.Ordinal), weight.IsSymmetric);
            Assert.Contains($"_g{weight.GroupSize}.", file, StringComparison.Ordinal);
            Assert.Equal(["A", "decompressed"], read.Plain.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        }
    }

    private static QuantizedCheckpoint Read(string file) => QuantizedCheckpoint.Read(Checkpoint.Open(file, requireConfig: false));
}
