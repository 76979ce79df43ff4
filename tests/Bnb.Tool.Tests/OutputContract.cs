using System.Text.Json;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Tensors;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>What every output folder must be, whatever was quantized.</summary>
internal static class OutputContract
{
    public static void AssertHolds(string folder)
    {
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(folder), path => Path.GetFileName(path)[0] == '.' || path.EndsWith(".jsonl", StringComparison.Ordinal));
        Checkpoint output = Checkpoint.Open(folder, requireConfig: false);
        Assert.Empty(output.Notes);
        foreach (CheckpointFile file in output.Files) AssertHeader(SafetensorsFile.ReadHeader(file.Path));
        AssertIndex(output);
        AssertCompanionsStayTogether(output);
    }

    private static void AssertHeader(SafetensorsHeader header)
    {
        Assert.Equal([new KeyValuePair<string, string>("format", "pt")], header.Metadata);
        Assert.Equal(0, header.DataStart % 8);
        Assert.All(header.Tensors, tensor => Assert.Equal(0, tensor.Begin % Math.Max(1, tensor.DType.BitSize() / 8)));
    }

    private static void AssertIndex(Checkpoint output)
    {
        string path = Path.Combine(output.Folder, output.WeightsBaseName + ".safetensors.index.json");
        if (output.Files.Count == 1)
        {
            Assert.False(File.Exists(path));
            Assert.Equal(output.WeightsBaseName + ".safetensors", output.Files[0].Name);
            return;
        }

        // Parsed without our reader: a loader's JSON library has to understand it.
        JsonElement index = JsonElement.Parse(File.ReadAllText(path));
        Assert.Equal(output.Tensors.Sum(tensor => tensor.ByteCount), index.GetProperty("metadata").GetProperty("total_size").GetInt64());
        Assert.Equal(
            output.Tensors.Select(tensor => (tensor.Name, tensor.File.Name)).Order(),
            index.GetProperty("weight_map").EnumerateObject().Select(entry => (entry.Name, entry.Value.GetString()!)).Order());
    }

    private static void AssertCompanionsStayTogether(Checkpoint output)
    {
        foreach (CheckpointTensor state in output.Tensors.Where(tensor => tensor.Name.Contains(BnbKeys.QuantStatePrefix, StringComparison.Ordinal)))
        {
            string weight = state.Name[..state.Name.IndexOf(BnbKeys.QuantStatePrefix, StringComparison.Ordinal)];
            var group = output.Tensors.Where(tensor => tensor.Name == weight || tensor.Name.StartsWith(weight + ".", StringComparison.Ordinal)).ToList();
            Assert.InRange(group.Count, 4, 6);
            Assert.Single(group.Select(tensor => tensor.File.Name).Distinct());
        }
    }
}
