using Bnb.Formats.Primitives;
using Bnb.TestKit;
using Bnb.Tool.Tests.Bytes;
using Xunit;

namespace Bnb.Tool.Tests.Integers;

/// <summary>What <c>quantize</c> writes for int8 and int4 against the slow model.</summary>
public sealed class IntegerBytesTests : IDisposable
{
    // Units of work of 65536 values, the smallest there are.
    private static readonly string[] Cramped = ["--threads", "2", "--max-memory", "1MB"];

    private readonly TempFolder _folder = new();

    public static TheoryData<string, int, bool> Int4Recipes
    {
        get
        {
            var data = new TheoryData<string, int, bool>();
            foreach (string dtype in (string[])["F32", "F16", "BF16", "F64"])
                foreach (int groupSize in (int[])[32, 64, 128])
                    foreach (bool symmetric in (bool[])[true, false])
                        data.Add(dtype, groupSize, symmetric);
            return data;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("F32")]
    [InlineData("F16")]
    [InlineData("BF16")]
    [InlineData("F64")]
    public void Quantize_Int8OddShapes_EqualsTheWholeTensorModel(string dtype)
    {
        List<TestTensor> weights = Weights(dtype, [[1, 1], [7, 37], [1, 257], [200, 1], [3, 127], [63, 5], [33, 96], [130, 251]]);

        AssertEqualsModel(new WholeIntegerModel(), weights, Copied(dtype), ["--max-shard-size", "20kB"]);

        Assert.InRange(Directory.GetFiles(_folder["out"], "*.safetensors").Length, 2, 100);
    }

    [Theory]
    [InlineData("F32", 3, 70_001)]
    [InlineData("BF16", 2, 300_001)]
    [InlineData("F64", 2, 131_073)]
    [InlineData("F16", 401, 397)]
    [InlineData("F32", 5, 32_769)]
    [InlineData("BF16", 300_000, 1)]
    public void Quantize_Int8RowsOfAnyLength_EqualsTheWholeTensorModel(string dtype, long rows, long columns)
    {
        List<TestTensor> weights = Weights(dtype, [[rows, columns]]);

        AssertEqualsModel(new WholeIntegerModel(), weights, [], []);
        AssertEqualsModel(new WholeIntegerModel(), weights, [], dtype == "F64" ? ["--threads", "1", "--max-memory", "1MB"] : Cramped);
    }

    [Theory]
    [InlineData("F32", false)]
    [InlineData("F16", true)]
    [InlineData("BF16", false)]
    [InlineData("F64", true)]
    public void Quantize_Int8Conv1D_EqualsTheTransposedModel(string dtype, bool cramped)
    {
        string[] names = ["h.0.attn.c_attn", "h.0.attn.c_proj", "h.0.mlp.c_fc", "h.0.mlp.c_proj", "h.1.mlp.c_fc", "h.1.mlp.c_proj"];
        long[][] shapes = [[96, 288], [96, 96], [33, 71], [1, 200], [127, 1033], [1033, 127]];
        List<TestTensor> weights = [.. names.Zip(shapes, (name, shape) => RandomWeights.Within(65504, name + ".weight", dtype, name.Length, shape))];
        string[] options = cramped ? ["--threads", "1", "--max-memory", dtype == "F64" ? "1500kB" : "700kB"] : ["--threads", "3"];

        AssertEqualsModel(new WholeIntegerModel(Transpose: true), weights, [RandomWeights.Of("wte.weight", dtype, 2, 10, 96)], options, """{"model_type": "gpt2"}""");
    }

    [Theory]
    [MemberData(nameof(Int4Recipes))]
    public void Quantize_Int4OddShapes_EqualsTheWholeTensorModel(string dtype, int groupSize, bool symmetric)
    {
        List<TestTensor> weights = Weights(
            dtype, [[1, groupSize], [7, 3 * groupSize], [8, groupSize], [9, 2 * groupSize], [65, 5 * groupSize], [16, 640], [131, 256]], float.MaxValue);
        // No whole groups: these stay as they are.
        List<TestTensor> unaligned =
        [
            RandomWeights.Of("model.layers.90.mlp.down_proj.weight", dtype, 3, 16, groupSize + 8),
            RandomWeights.Of("model.layers.91.mlp.down_proj.weight", dtype, 3, 16, groupSize - 1),
            RandomWeights.Of("model.layers.92.mlp.down_proj.weight", dtype, 3, 16, 1),
        ];

        AssertEqualsModel(new WholeIntegerModel(groupSize, symmetric), weights, [.. Copied(dtype), .. unaligned], ["--max-shard-size", "20kB"]);
    }

    [Theory]
    // Stripes of 8 rows that are longer than a unit of work, which then holds part of each row.
    [InlineData("F32", 128, false, 19, 20_608)]
    [InlineData("BF16", 32, false, 9, 40_032)]
    [InlineData("F16", 64, true, 8, 32_832)]
    [InlineData("F64", 64, false, 3, 8_256)]
    [InlineData("BF16", 128, false, 1, 300_032)]
    // Many of them in one.
    [InlineData("F32", 64, false, 1003, 192)]
    [InlineData("BF16", 32, true, 4097, 32)]
    [InlineData("F16", 128, false, 301, 1024)]
    public void Quantize_Int4RowsOfAnyLength_EqualsTheWholeTensorModel(string dtype, int groupSize, bool symmetric, long rows, long columns)
    {
        List<TestTensor> weights = Weights(dtype, [[rows, columns]], float.MaxValue);
        var model = new WholeIntegerModel(groupSize, symmetric);

        AssertEqualsModel(model, weights, [], []);
        AssertEqualsModel(model, weights, [], dtype == "F64" ? ["--threads", "1", "--max-memory", "1MB"] : Cramped);
    }

    /// <summary>compressed-tensors knows no Conv1D: what is one stays, what is linear is packed.</summary>
    [Fact]
    public void Quantize_Int4Gpt2_LeavesConv1DAlone()
    {
        List<TestTensor> conv =
        [
            RandomWeights.Of("h.0.attn.c_attn.weight", "F32", 1, 128, 384),
            RandomWeights.Of("h.0.attn.c_proj.weight", "F32", 2, 128, 128),
            RandomWeights.Of("wte.weight", "F32", 3, 10, 128),
        ];
        List<TestTensor> linear = [RandomWeights.Of("h.0.mlp.up_proj.weight", "F32", 4, 128, 256)];

        AssertEqualsModel(new WholeIntegerModel(128), linear, conv, [], """{"model_type": "gpt2"}""");
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("int4")]
    public void Quantize_EmptyWeights_AreCopied(string type)
    {
        TestTensor[] empty = [new("model.layers.0.mlp.down_proj.weight", "F32", [0, 128], []), new("model.layers.1.mlp.down_proj.weight", "F32", [128, 0], [])];
        string source = CheckpointBuilder.SingleFile(_folder["model"], [.. empty, TestTensor.Floats("model.norm.weight", "F32", 8)]);

        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--type", type);

        OutputContract.AssertHolds(_folder["out"]);
        Assert.All(empty, tensor => Assert.Equal(DType.F32, OutputFolder.Tensors(_folder["out"])[tensor.Name].Info.DType));
    }

    private static List<TestTensor> Weights(string dtype, long[][] shapes, float limit = 65504) =>
        [.. shapes.Select((shape, i) => RandomWeights.Within(limit, $"model.layers.{i}.mlp.down_proj.weight", dtype, (i * 31) + dtype.Length, shape))];

    private static List<TestTensor> Copied(string dtype) =>
    [
        RandomWeights.Of("model.norm.weight", dtype, 1, 100),
        RandomWeights.Of("model.embed_tokens.weight", dtype, 2, 10, 128),
        RandomWeights.Of("lm_head.weight", dtype, 3, 9, 128),
        TestTensor.Numbered("model.layers.0.self_attn.scale", dtype),
        TestTensor.Numbered("model.layers.0.mlp.mask", "BOOL", 5),
        TestTensor.Numbered("model.layers.0.mlp.int_proj.weight", "I32", 3, 128),
        TestTensor.Numbered("model.layers.0.mlp.table", "F8_E4M3", 3, 128),
    ];

    private void AssertEqualsModel(
        WholeIntegerModel model, List<TestTensor> weights, List<TestTensor> copied, string[] options, string config = CheckpointBuilder.LlamaConfig)
    {
        string source = CheckpointBuilder.SingleFile(_folder["model"], [.. weights, .. copied], config);
        // Values span the range of their dtype, and so the scales of groups with zero points overflow: kept as the library does.
        ToolRun.Succeed(["quantize", source, "--output", _folder["out"], "--overwrite", "--non-finite", "keep", .. model.Options, .. options]);

        OutputContract.AssertHolds(_folder["out"]);
        var expected = copied.ToDictionary(
            tensor => tensor.Name, tensor => (tensor.DType, tensor.Shape, Bytes: tensor.Data), StringComparer.Ordinal);
        foreach ((string name, var tensor) in weights.SelectMany(model.Expected)) expected.Add(name, (tensor.DType.Name(), tensor.Shape, tensor.Bytes));
        var output = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), output.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, (string dtype, long[] shape, byte[] bytes)) in expected)
        {
            Assert.Equal((name, dtype, TensorShape.Of(shape)), (name, output[name].Info.DType.Name(), output[name].Info.Shape));
            Assert.True(bytes.AsSpan().SequenceEqual(output[name].Bytes), $"{name} differs, first at {bytes.AsSpan().CommonPrefixLength(output[name].Bytes)}");
        }
    }
}
