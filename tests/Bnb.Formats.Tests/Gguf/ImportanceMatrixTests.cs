using System.Text.Json;
using Bnb.Formats.Gguf;
using Bnb.Formats.Primitives;
using Bnb.TestKit;

namespace Bnb.Formats.Tests.Gguf;

/// <summary>Importance matrices of llama.cpp, against vectors made with gguf-py.</summary>
public class ImportanceMatrixTests
{
    [Theory]
    [InlineData("imatrix.gguf")]
    [InlineData("imatrix_with_in_sum.gguf")]
    public void Read_Gguf_HasTheExpectedMeanSquares(string file)
    {
        ImportanceMatrix matrix = ImportanceMatrix.Read(Golden.File("imatrix", file));
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Golden.File("imatrix", "expected_gguf.json")));
        JsonElement entries = expected.RootElement.GetProperty("entries");
        Assert.Equal(entries.EnumerateObject().Select(entry => entry.Name).Order(StringComparer.Ordinal), matrix.Names.Order(StringComparer.Ordinal));
        foreach (JsonProperty entry in entries.EnumerateObject())
        {
            IReadOnlyList<float[]> found = matrix.Find(entry.Name)!;
            Assert.Equal(Rows(entry.Value.GetProperty("mean_sq")), found);
            int number = 0;
            foreach (JsonElement name in entry.Value.GetProperty("hf_names").EnumerateArray())
                Assert.Equal(found[found.Count > 1 ? number++ : 0], matrix.For(name.GetString()!, found[0].Length));
        }
    }

    [Theory]
    [InlineData("imatrix.dat")]
    [InlineData("imatrix_oldest_no_tail.dat")]
    public void Read_OlderForm_HasTheExpectedMeanSquares(string file)
    {
        ImportanceMatrix matrix = ImportanceMatrix.Read(Golden.File("imatrix", file));
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Golden.File("imatrix", "expected_dat.json")));
        foreach (JsonProperty entry in expected.RootElement.GetProperty("entries").EnumerateObject())
        {
            float[] values = [.. entry.Value.GetProperty("mean_sq").EnumerateArray().Select(value => value.GetSingle())];
            Assert.Equal(values, Assert.Single(matrix.Find(entry.Name)!));
        }
    }

    [Fact]
    public void For_ExpertInTheOlderForm_TakesItsPartOfTheFlatValues()
    {
        ImportanceMatrix flat = ImportanceMatrix.Read(Golden.File("imatrix", "imatrix.dat"));
        float[] all = flat.Find("blk.1.ffn_down_exps.weight")![0];
        Assert.Equal(all[96..192], flat.For("model.layers.1.block_sparse_moe.experts.1.w2.weight", 96));
    }

    [Fact]
    public void For_AnotherWidth_IsRefused()
    {
        ImportanceMatrix matrix = ImportanceMatrix.Read(Golden.File("imatrix", "imatrix.gguf"));
        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() => matrix.For("model.layers.0.self_attn.q_proj.weight", 65));
        Assert.Equal("IMX-LAYOUT", error.Error.Code());
        Assert.Null(matrix.For("model.layers.7.self_attn.q_proj.weight", 64));
    }

    [Fact]
    public void Map_NamesOfLlama_AreThoseOfGguf()
    {
        using JsonDocument map = JsonDocument.Parse(File.ReadAllBytes(Golden.File("imatrix", "name_map_llama.json")));
        foreach (JsonProperty pair in map.RootElement.GetProperty("hf_to_ggml").EnumerateObject())
            Assert.Equal(pair.Value.GetString(), LlamaNames.Map(pair.Name)?.Name);
        Assert.Null(LlamaNames.Map("model.layers.0.self_attn.q_proj.bias"));
        Assert.Null(LlamaNames.Map("visual.0.self_attn.q_proj.weight"));
    }

    [Theory]
    [InlineData("imatrix.gguf")]
    [InlineData("imatrix.dat")]
    public void Read_AnyTruncation_IsRefusedOrRead(string file)
    {
        byte[] whole = File.ReadAllBytes(Golden.File("imatrix", file));
        using var folder = new TempFolder();
        for (int length = 0; length < whole.Length; length += length < 400 ? 1 : 97)
        {
            string path = folder["cut" + length];
            File.WriteAllBytes(path, whole[..length]);
            Exception? error = Record.Exception(() => ImportanceMatrix.Read(path));
            if (error is not null) Assert.IsType<CheckpointFormatException>(error);
        }
    }

    [Theory]
    [InlineData("imatrix.gguf")]
    [InlineData("imatrix.dat")]
    public void Read_AnyByteChanged_IsRefusedOrRead(string file)
    {
        byte[] whole = File.ReadAllBytes(Golden.File("imatrix", file));
        using var folder = new TempFolder();
        var random = new Random(3);
        string path = folder["changed"];
        for (int round = 0; round < 400; round++)
        {
            byte[] changed = [.. whole];
            for (int i = 0; i < 1 + (round % 3); i++) changed[random.Next(Math.Min(changed.Length, 3000))] = (byte)random.Next(256);
            File.WriteAllBytes(path, changed);
            Exception? error = Record.Exception(() => ImportanceMatrix.Read(path));
            if (error is not null) Assert.IsType<CheckpointFormatException>(error);
        }
    }

    private static float[][] Rows(JsonElement rows) =>
        [.. rows.EnumerateArray().Select(row => row.EnumerateArray().Select(value => value.GetSingle()).ToArray())];
}
