using System.Text.Json;
using Bnb.Formats.Primitives;
using Bnb.Quant.Blockwise;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Bytes;

/// <summary>What the tool writes against the slow model: in chunks and by many workers must equal all at once.</summary>
public sealed class OutputBytesTests : IDisposable
{
    // Too little for two workers with the smallest chunk and for anything to be held in memory: absmax goes to a scratch file.
    private static readonly string[] Cramped = ["--threads", "2", "--max-memory", "1MB"];

    private readonly TempFolder _folder = new();

    public static TheoryData<string, int, string, bool> Recipes
    {
        get
        {
            var data = new TheoryData<string, int, string, bool>();
            string[] dtypes = ["F32", "F16", "BF16", "F64"];
            int[] blocksizes = [32, 64, 128, 256, 512, 1024, 2048, 4096];
            for (int i = 0; i < blocksizes.Length; i++)
                for (int j = 0; j < dtypes.Length; j++)
                    data.Add(dtypes[j], blocksizes[i], (i + j) % 2 == 0 ? "nf4" : "fp4", (i + (j / 2)) % 2 == 0);
            return data;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Quantize_OddShapes_EqualsTheWholeTensorModel(string dtype, int blocksize, string type, bool doubleQuant)
    {
        long[][] shapes =
        [
            [1, 1], [7, 37], [1, blocksize], [1, blocksize + 1], [3, (2 * blocksize) - 1], [blocksize - 1, 5], [33, 96], [2, 1], [130, 251],
        ];
        List<TestTensor> weights =
            [.. shapes.Select((shape, i) => RandomWeights.Of($"model.layers.{i}.mlp.down_proj.weight", dtype, (blocksize * 31) + i, shape))];
        List<TestTensor> copied =
        [
            RandomWeights.Of("model.norm.weight", dtype, 1, 100),
            RandomWeights.Of("model.embed_tokens.weight", dtype, 2, 10, 7),
            RandomWeights.Of("lm_head.weight", dtype, 3, 9, 64),
            TestTensor.Numbered("model.layers.0.self_attn.scale", dtype),
            TestTensor.Numbered("model.layers.0.mlp.empty_proj.weight", dtype, 0, 64),
            TestTensor.Numbered("model.layers.0.mlp.empty_proj.bias", dtype, 0),
            TestTensor.Numbered("model.layers.0.mlp.mask", "BOOL", 5),
            TestTensor.Numbered("model.position_ids", "I64", 1, 9),
            TestTensor.Numbered("model.layers.0.mlp.int_proj.weight", "I32", 3, 64),
            TestTensor.Numbered("model.layers.0.mlp.table", "F8_E4M3", 3, 64),
            TestTensor.Numbered("model.layers.0.conv.weight", dtype, 3, 1, 4),
        ];
        string source = CheckpointBuilder.Sharded(_folder["model"], [[.. weights.Take(4), .. copied.Take(4)], [.. copied.Skip(4), .. weights.Skip(4)]]);

        ToolRun.Succeed(
            ["quantize", source, "--output", _folder["out"], "--block-size", $"{blocksize}", "--type", type, "--double-quant", doubleQuant ? "true" : "false", "--max-shard-size", "20kB"]);

        OutputContract.AssertHolds(_folder["out"]);
        Assert.InRange(Directory.GetFiles(_folder["out"], "*.safetensors").Length, 2, 100);
        AssertEqualsModel(new WholeTensorModel(Code4Catalog.ByName(type), blocksize, doubleQuant, Transpose: false), weights, copied);
    }

    [Theory]
    [InlineData("F32", 64, "nf4", true)]
    [InlineData("F16", 32, "fp4", true)]
    [InlineData("BF16", 64, "nf4", false)]
    [InlineData("F64", 128, "nf4", true)]
    public void Quantize_ManyChunksInLittleMemory_EqualsTheWholeTensorModel(string dtype, int blocksize, string type, bool doubleQuant)
    {
        // 2.4 chunks with a short last block, rows that straddle blocks and chunks.
        List<TestTensor> weights = [RandomWeights.Of("model.layers.0.mlp.down_proj.weight", dtype, 5, 401, 397)];
        List<TestTensor> copied = [RandomWeights.Of("model.embed_tokens.weight", dtype, 2, 1000, 301)];
        string source = CheckpointBuilder.SingleFile(_folder["model"], [.. weights, .. copied]);

        ToolRun.Succeed(
            ["quantize", source, "--output", _folder["out"], "--block-size", $"{blocksize}", "--type", type, "--double-quant", doubleQuant ? "true" : "false", .. Cramped]);

        OutputContract.AssertHolds(_folder["out"]);
        AssertEqualsModel(new WholeTensorModel(Code4Catalog.ByName(type), blocksize, doubleQuant, Transpose: false), weights, copied);
    }

    [Theory]
    [InlineData("F32", false)]
    [InlineData("F32", true)]
    [InlineData("F16", true)]
    [InlineData("BF16", false)]
    [InlineData("F64", true)]
    [InlineData("F64", false)]
    public void Quantize_Conv1D_EqualsTheTransposedModel(string dtype, bool cramped)
    {
        List<TestTensor> weights =
        [
            RandomWeights.Of("h.0.attn.c_attn.weight", dtype, 1, 96, 288),
            RandomWeights.Of("h.0.attn.c_proj.weight", dtype, 2, 96, 96),
            RandomWeights.Of("h.0.mlp.c_fc.weight", dtype, 3, 33, 71),
            RandomWeights.Of("h.0.mlp.c_proj.weight", dtype, 4, 1, 200),
            // More than one chunk either way round, and more than what a cramped run may hold.
            RandomWeights.Of("h.1.mlp.c_fc.weight", dtype, 5, 127, 1033),
            RandomWeights.Of("h.1.mlp.c_proj.weight", dtype, 6, 1033, 127),
        ];
        List<TestTensor> copied = [RandomWeights.Of("wte.weight", dtype, 2, 10, 96), RandomWeights.Of("h.0.ln_1.weight", dtype, 2, 96)];
        string source = CheckpointBuilder.SingleFile(_folder["model"], [.. weights, .. copied], """{"model_type": "gpt2"}""");
        string memory = cramped ? dtype switch { "F64" => "1200kB", "F32" => "600kB", _ => "310kB" } : "64MB";

        ToolRun run = ToolRun.Succeed(
            "quantize", source, "--output", _folder["out"], "--threads", "1", "--max-memory", memory, "--json");

        OutputContract.AssertHolds(_folder["out"]);
        Assert.Equal(6, JsonResult.Of(run).GetProperty("tensors").EnumerateArray().Count(tensor => tensor.TryGetProperty("transposed", out _)));
        AssertEqualsModel(new WholeTensorModel(Code4Catalog.ByName("nf4"), 64, DoubleQuant: true, Transpose: true), weights, copied);
    }

    private void AssertEqualsModel(WholeTensorModel model, List<TestTensor> weights, List<TestTensor> copied)
    {
        var output = OutputFolder.Tensors(_folder["out"]);
        var states = new HashSet<string>(StringComparer.Ordinal);
        var expected = new Dictionary<string, (DType DType, long[] Shape, byte[] Bytes)>(StringComparer.Ordinal);
        foreach (TestTensor weight in weights)
        {
            foreach ((string name, var tensor) in model.Expected(weight)) expected.Add(name, tensor);
            string state = $"{weight.Name}.quant_state.bitsandbytes__{model.Code.Name}";
            states.Add(state);
            AssertState(JsonElement.Parse(output[state].Bytes), model, weight);
        }

        foreach (TestTensor tensor in copied) expected.Add(tensor.Name, (output[tensor.Name].Info.DType, tensor.Shape, tensor.Data));
        Assert.Equal(expected.Keys.Concat(states).Order(StringComparer.Ordinal), output.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, (DType dtype, long[] shape, byte[] bytes)) in expected)
        {
            Assert.Equal((name, dtype, TensorShape.Of(shape)), (name, output[name].Info.DType, output[name].Info.Shape));
            Assert.True(bytes.AsSpan().SequenceEqual(output[name].Bytes), $"{name} differs, first at {bytes.AsSpan().CommonPrefixLength(output[name].Bytes)}");
        }

        foreach (TestTensor tensor in copied) Assert.Equal(tensor.DType, output[tensor.Name].Info.DType.Name());
    }

    private static void AssertState(JsonElement state, WholeTensorModel model, TestTensor weight)
    {
        long[] dense = model.Transpose ? [weight.Shape[1], weight.Shape[0]] : weight.Shape;
        string dtype = weight.DType switch { "F16" => "float16", "BF16" => "bfloat16", _ => "float32" };
        Assert.Equal(
            (model.Code.Name, model.Blocksize, dtype),
            (state.GetProperty("quant_type").GetString(), state.GetProperty("blocksize").GetInt32(), state.GetProperty("dtype").GetString()));
        Assert.Equal(dense, state.GetProperty("shape").EnumerateArray().Select(dimension => dimension.GetInt64()));
        Assert.Equal(model.DoubleQuant ? 7 : 4, state.EnumerateObject().Count());
        if (!model.DoubleQuant) return;
        Assert.Equal((256, "float32"), (state.GetProperty("nested_blocksize").GetInt32(), state.GetProperty("nested_dtype").GetString()));
        Assert.Equal(model.ExpectedOffset(weight), state.GetProperty("nested_offset").GetSingle());
    }
}
