using System.Text;
using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Diff;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>The folder around the dequantized weights: config, index, shards, side files, report.</summary>
public sealed class DequantizeFolderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Dequantize_QuantizedTinyLlama_IsTheSourceButForTheWeights()
    {
        string source = Golden.File("tiny-llama", "source");
        ToolRun.Succeed("quantize", source, "--output", _folder["nf4"]);

        ToolRun.Succeed("dequantize", _folder["nf4"], "--output", _folder["back"]);

        foreach (string file in (string[])["config.json", "generation_config.json", "tokenizer.json"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(source, file)), File.ReadAllBytes(_folder["back", file]));
        var before = OutputFolder.Tensors(source);
        var after = OutputFolder.Tensors(_folder["back"]);
        Assert.Equal(before.Keys.Order(StringComparer.Ordinal), after.Keys.Order(StringComparer.Ordinal));
        Assert.All(before, tensor => Assert.Equal(
            (tensor.Value.Info.DType, tensor.Value.Info.Shape), (after[tensor.Key].Info.DType, after[tensor.Key].Info.Shape)));
        Assert.Equal(before["model.norm.weight"].Bytes, after["model.norm.weight"].Bytes);
    }

    [Fact]
    public void Dequantize_SmallShards_HaveAnIndexOfAllTensors()
    {
        string source = Golden.File("tiny-llama", "source");
        ToolRun.Succeed("quantize", source, "--output", _folder["nf4"], "--max-shard-size", "200KB");

        ToolRun.Succeed("dequantize", _folder["nf4"], "--output", _folder["back"], "--max-shard-size", "500KB");

        string[] shards = [.. Directory.EnumerateFiles(_folder["back"], "*.safetensors").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];
        Assert.True(shards.Length > 2);
        Assert.Equal(CheckpointBuilder.ShardName(1, shards.Length), shards[0]);
        JsonElement index = JsonElement.Parse(File.ReadAllText(_folder["back", "model.safetensors.index.json"]));
        var map = index.GetProperty("weight_map").EnumerateObject().ToDictionary(member => member.Name, member => member.Value.GetString()!);
        var tensors = OutputFolder.Tensors(_folder["back"]);
        Assert.Equal(tensors.Keys.Order(StringComparer.Ordinal), map.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(shards, map.Values.Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(tensors.Values.Sum(tensor => (long)tensor.Bytes.Length), index.GetProperty("metadata").GetProperty("total_size").GetInt64());
        Assert.DoesNotContain("quantization_config", File.ReadAllText(_folder["back", "config.json"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\n  \"a\": 1,\n  \"quantization_config\": {\"x\": [1, 2]}\n}\n", "{\n  \"a\": 1\n}\n")]
    [InlineData("{\"quantization_config\":{},\"a\":NaN,\"b\":\"é\"}", "{\"a\":NaN,\"b\":\"é\"}")]
    [InlineData("{\"a\": 1.00}", "{\"a\": 1.00}")]
    public void Dequantize_Config_LosesOnlyTheQuantization(string before, string after)
    {
        CheckpointBuilder.SingleFile(_folder["source"], new HandPacked().Tensors(), before);

        ToolRun.Succeed("dequantize", _folder["source"], "--output", _folder["out"]);

        Assert.Equal(after, File.ReadAllText(_folder["out", "config.json"], Encoding.UTF8));
    }

    [Fact]
    public void Dequantize_OneFile_WritesItAlone()
    {
        string file = _folder.Write("adapter.safetensors", CheckpointBuilder.Safetensors(new HandPacked().Tensors()));

        ToolRun.Succeed("dequantize", file, "--output", _folder["out"]);

        Assert.Equal(
            ["adapter.safetensors", "bnb-manifest.json"],
            Directory.EnumerateFileSystemEntries(_folder["out"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Dequantize_PlainTensors_AreCopiedByteForByte()
    {
        TestTensor[] plain =
        [
            TestTensor.Numbered("ids", "I64", 5), TestTensor.Numbered("f8", "F8_E4M3", 7), TestTensor.Numbered("flag", "BOOL", 3),
            new("nan", "F32", [2], [.. BitConverter.GetBytes(float.NaN), .. BitConverter.GetBytes(1f)]),
        ];
        CheckpointBuilder.SingleFile(_folder["source"], [.. plain, .. new HandPacked().Tensors()]);

        ToolRun run = ToolRun.Succeed("dequantize", _folder["source"], "--output", _folder["out"]);

        var tensors = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal(plain.Length + 1, tensors.Count);
        Assert.All(plain, tensor => Assert.Equal(tensor.Data, tensors[tensor.Name].Bytes));
        Assert.Contains("\"nan\" holds NaN or Inf", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Dequantize_Json_NamesEveryTensor()
    {
        CheckpointBuilder.SingleFile(_folder["source"], [.. new HandPacked().Tensors(), TestTensor.Floats("norm.weight", "F32", 9)]);

        ToolRun run = ToolRun.Succeed("dequantize", _folder["source"], "--output", _folder["out"], "--json");

        JsonElement result = JsonElement.Parse(run.Out.Split('\n')[0]);
        Assert.Equal("dequantized", result.GetProperty("type").GetString());
        Assert.Equal(
            [("norm.weight", "copied", "F32", "[9]"), (HandPacked.Name, "dequantized", "BF16", "[48,96]")],
            result.GetProperty("tensors").EnumerateArray().Select(tensor => (
                tensor.GetProperty("name").GetString()!, tensor.GetProperty("action").GetString()!, tensor.GetProperty("dtype").GetString()!, tensor.GetProperty("shape").GetRawText())));
        Assert.Equal(new FileInfo(_folder["out", "model.safetensors"]).Length, result.GetProperty("bytes_after").GetInt64());
    }

    [Fact]
    public void Dequantize_ExistingOutput_IsKept()
    {
        CheckpointBuilder.SingleFile(_folder["source"], new HandPacked().Tensors());
        Directory.CreateDirectory(_folder["out"]);
        File.WriteAllText(_folder["out", "mine"], "mine");

        Assert.Equal(ExitCode.OutputRefused, ToolRun.Of("dequantize", _folder["source"], "--output", _folder["out"]).Exit);
        Assert.Equal(ExitCode.OutputRefused, ToolRun.Of("dequantize", _folder["source"], "--output", _folder["source"]).Exit);
        Assert.Equal("mine", File.ReadAllText(_folder["out", "mine"]));
    }
}
