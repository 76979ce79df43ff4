using System.Text;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Sharded;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

/// <summary>Files made by the Python libraries.</summary>
public sealed class GoldenTests
{
    [Fact]
    public void ReadHeader_EveryGoldenFile_IsReadAndRoundTrips()
    {
        string[] files = Directory.GetFiles(Golden.Root, "*.safetensors", SearchOption.AllDirectories);
        Assert.True(files.Length > 60, $"{files.Length}");
        foreach (string file in files)
        {
            SafetensorsHeader header = SafetensorsFile.ReadHeader(file);
            HeaderFacts.AssertTiles(header, new FileInfo(file).Length);
            byte[] written = SafetensorsHeaderWriter.Write(header.Tensors, header.Metadata);
            SafetensorsHeader again = SafetensorsHeader.Parse(written.AsSpan(8), written.Length + header.Tensors[^1].End, file);
            Assert.Equal(header.Tensors, again.Tensors);
            Assert.Equal(header.Metadata, again.Metadata);
        }
    }

    [Theory]
    [InlineData("nf4-dq", true)]
    [InlineData("fp4", false)]
    public void ToUtf8_StatesOfTinyLlama_EqualTheirBytes(string folder, bool nested)
    {
        string path = Golden.File("tiny-llama", folder, "model.safetensors");
        int states = 0;
        foreach ((string name, byte[] bytes) in ReadAll(path).Where(tensor => tensor.Name.Contains(BnbKeys.QuantStatePrefix, StringComparison.Ordinal)))
        {
            BnbQuantState state = BnbQuantState.Parse(bytes, path, name);
            Assert.Equal(nested, state.NestedOffset is not null);
            Assert.Equal(Encoding.UTF8.GetString(bytes), Encoding.UTF8.GetString(state.ToUtf8()));
            Assert.True(state.MaxUtf8Length >= bytes.Length);
            string weight = name[..name.IndexOf(BnbKeys.QuantStatePrefix, StringComparison.Ordinal)];
            Assert.Equal(name, BnbKeys.QuantState(weight, state.QuantType));
            states++;
        }

        Assert.True(states >= 14, $"{states}");
    }

    [Fact]
    public void Open_TinyLlamaSource_HasItsParts()
    {
        Checkpoint checkpoint = Checkpoint.Open(Golden.File("tiny-llama", "source"), requireConfig: true);

        Assert.Equal(["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"], checkpoint.Files.Select(file => file.Name));
        Assert.Equal("llama", checkpoint.Config!.ModelType);
        Assert.Equal("bfloat16", checkpoint.Config.TorchDType);
        Assert.Equal(["generation_config.json", "tokenizer.json"], checkpoint.SideFiles.Copied.Select(file => file.RelativeName));
        Assert.Empty(checkpoint.Notes);
        Assert.Equal("model", checkpoint.WeightsBaseName);
        Assert.Null(QuantizedSource.Find(checkpoint));
    }

    [Theory]
    [InlineData("nf4-dq")]
    [InlineData("fp4")]
    [InlineData("int8")]
    public void Find_QuantizedTinyLlama_GivesAReason(string folder)
    {
        Checkpoint checkpoint = Checkpoint.Open(Golden.File("tiny-llama", folder), requireConfig: false);

        Assert.Contains("bitsandbytes", QuantizedSource.Find(checkpoint), StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_IndexOfTinyLlama_IsWrittenBackSorted()
    {
        string path = Golden.File("tiny-llama", "source", "model.safetensors.index.json");
        ShardIndex index = ShardIndex.Parse(File.ReadAllBytes(path), path);

        ShardIndex again = ShardIndex.Parse(ShardIndex.Write(index.WeightMap, index.TotalSize!.Value), path);

        Assert.Equal(3426816, again.TotalSize);
        Assert.Equal(index.WeightMap.OrderBy(pair => pair.Key, StringComparer.Ordinal), again.WeightMap);
    }

    private static IEnumerable<(string Name, byte[] Bytes)> ReadAll(string path)
    {
        using PositionedFile file = PositionedFile.Open(path);
        SafetensorsHeader header = SafetensorsFile.ReadHeader(file);
        foreach (TensorInfo tensor in header.Tensors)
        {
            byte[] bytes = new byte[tensor.ByteCount];
            file.Read(header.DataStart + tensor.Begin, bytes);
            yield return (tensor.Name, bytes);
        }
    }
}
