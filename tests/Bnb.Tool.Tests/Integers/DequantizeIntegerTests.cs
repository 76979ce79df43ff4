using Bnb.Engine.Dequantizing;
using Bnb.Engine.Events;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Integers;

/// <summary>Values that <c>dequantize</c> writes from int8 and int4 weights of any shape, whoever packed them.</summary>
public sealed class DequantizeIntegerTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<KernelPath> Paths => [.. KernelPaths.Available];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(48, 96)]
    [InlineData(1, 1)]
    [InlineData(1, 300_001)]
    [InlineData(3, 131_071)]
    [InlineData(70_001, 1)]
    [InlineData(613, 457)]
    [InlineData(0, 64)]
    [InlineData(64, 0)]
    public void Dequantize_Int8OfAnyShape_GivesTheValuesOfTheDefinition(long rows, long columns)
    {
        var packed = new HandRows8 { Rows = rows, Columns = columns };

        AssertValues(packed.Key, [rows, columns], "BF16", packed.Values("BF16"), Write(packed.Tensors(), HandRows8.Config));
    }

    [Theory]
    [InlineData("F16", "float16")]
    [InlineData("BF16", "bfloat16")]
    [InlineData("F32", "float32")]
    public void Dequantize_Int8_TakesTheModelsDTypeOrTheOneAskedFor(string dtype, string torch)
    {
        var packed = new HandRows8 { HasFormat = false };
        Write(packed.Tensors(), HandRows8.Config.Replace("bfloat16", torch, StringComparison.Ordinal), "named");
        Write(packed.Tensors(), HandRows8.Config, "asked");

        AssertValues(packed.Key, [48, 96], dtype, packed.Values(dtype), _folder["named"], "out-named");
        AssertValues(packed.Key, [48, 96], dtype, packed.Values(dtype), _folder["asked"], "out-asked", "--dtype", torch);
    }

    [Fact]
    public void Dequantize_Int8WithoutAConfig_IsFloat16()
    {
        var packed = new HandRows8();
        CheckpointBuilder.SingleFile(_folder["source"], packed.Tensors(), config: null);

        AssertValues(packed.Key, [48, 96], "F16", packed.Values("F16"), _folder["source", "model.safetensors"]);
    }

    [Theory]
    [InlineData(41, 192, 64, false, "BF16")]
    [InlineData(41, 192, 64, true, "F16")]
    [InlineData(9, 96, 32, false, "F32")]
    [InlineData(1, 128, 128, false, "F32")]
    [InlineData(17, 256, 256, false, "BF16")]
    [InlineData(8, 8, 8, true, "BF16")]
    // Groups of other tools need not be powers of two, so units of work cut them.
    [InlineData(1001, 744, 24, false, "F16")]
    [InlineData(1001, 744, 744, true, "F32")]
    [InlineData(11, 300_000, 1000, false, "BF16")]
    [InlineData(9, 200_064, 64, false, "F32")]
    [InlineData(3, 524_288, 524_288, false, "BF16")]
    [InlineData(0, 64, 64, true, "BF16")]
    public void Dequantize_Int4OfAnyShape_GivesTheValuesOfTheDefinition(long rows, long columns, int groupSize, bool symmetric, string dtype)
    {
        var packed = new HandGroups4 { Rows = rows, Columns = columns, GroupSize = groupSize, Symmetric = symmetric, DType = dtype };
        string source = Write(packed.Tensors(), HandGroups4.Config(groupSize, symmetric));

        AssertValues(packed.Key, [rows, columns], dtype, packed.Values(), source);
        AssertValues(packed.Key, [rows, columns], dtype, packed.Values(), source, "cramped", "--threads", "3", "--max-memory", "2MB");
    }

    [Theory]
    [InlineData("BF16", "F16", "float16")]
    [InlineData("F16", "F32", "float32")]
    [InlineData("F32", "BF16", "bfloat16")]
    public void Dequantize_Int4ToAnotherDType_RoundsToTheScalesDTypeFirst(string dtype, string other, string torch)
    {
        var packed = new HandGroups4 { DType = dtype, Symmetric = false };

        AssertValues(
            packed.Key, [packed.Rows, packed.Columns], other, packed.Values(), Write(packed.Tensors(), HandGroups4.Config(64, symmetric: false)), "out", "--dtype", torch);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Dequantize_AnyKernelPath_GivesTheSameBytes(KernelPath path)
    {
        HandRows8 rows = new() { Rows = 211, Columns = 1003 };
        HandGroups4 groups = new() { Rows = 211, Columns = 1024, Symmetric = false, DType = "F16" };
        Write(rows.Tensors(), HandRows8.Config, "rows");
        Write(groups.Tensors(), HandGroups4.Config(64, symmetric: false), "groups");
        foreach (string form in (string[])["rows", "groups"])
        {
            DequantizeRun.Execute(
                new DequantizeRequest { SourcePath = _folder[form], OutputPath = _folder[form + "-out"], KernelPath = path },
                NoEvents.Instance,
                CancellationToken.None);
        }

        Assert.Equal(Stored.Bytes("BF16", rows.Values("BF16")), OutputFolder.Tensors(_folder["rows-out"])[rows.Key].Bytes);
        Assert.Equal(Stored.Bytes("F16", groups.Values()), OutputFolder.Tensors(_folder["groups-out"])[groups.Key].Bytes);
    }

    [Fact]
    public void Dequantize_PartsInAnotherShard_AreFound()
    {
        List<TestTensor> rows = new HandRows8().Tensors(), groups = new HandGroups4 { Symmetric = false }.Tensors();
        CheckpointBuilder.Sharded(_folder["rows"], [[.. rows.Skip(1)], [rows[0]]], HandRows8.Config);
        CheckpointBuilder.Sharded(_folder["groups"], [[groups[3], groups[0]], [groups[2], groups[1]]], HandGroups4.Config(64, symmetric: false));

        AssertValues(new HandRows8().Key, [48, 96], "BF16", new HandRows8().Values("BF16"), _folder["rows"], "out-rows");
        AssertValues(new HandGroups4().Key, [41, 192], "BF16", new HandGroups4 { Symmetric = false }.Values(), _folder["groups"], "out-groups");
    }

    [Fact]
    public void Dequantize_Gpt2Int8_PutsConv1DBackAsItWas()
    {
        var packed = new HandRows8 { Path = "h.0.mlp.c_fc", Rows = 901, Columns = 700 };
        Write(packed.Tensors(), HandRows8.Config.Replace("llama", "gpt2", StringComparison.Ordinal));
        float[] values = packed.Values("F32"), transposed = new float[values.Length];
        for (int i = 0; i < values.Length; i++) transposed[(i % 700 * 901) + (i / 700)] = values[i];

        AssertValues(packed.Key, [700, 901], "F32", transposed, _folder["source"], "out", "--dtype", "float32");
        AssertValues(packed.Key, [700, 901], "F32", transposed, _folder["source"], "cramped", "--dtype", "float32", "--threads", "2", "--max-memory", "2MB");
    }

    [Fact]
    public void Dequantize_OtherTensors_AreCopied()
    {
        TestTensor norm = TestTensor.Floats("model.norm.weight", "F32", 100), ids = TestTensor.Numbered("model.ids", "I8", 3, 5);
        Write([.. new HandGroups4().Tensors(), norm, ids], HandGroups4.Config(64, symmetric: true));

        ToolRun.Succeed("dequantize", _folder["source"], "--output", _folder["out"]);

        var output = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal([ids.Name, HandGroups4.Module + ".weight", norm.Name], output.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(norm.Data, output[norm.Name].Bytes);
        Assert.Equal(DType.I8, output[ids.Name].Info.DType);
        Assert.Equal(ids.Data, output[ids.Name].Bytes);
    }

    private string Write(IEnumerable<TestTensor> tensors, string config, string folder = "source") =>
        CheckpointBuilder.SingleFile(_folder[folder], tensors, config);

    private void AssertValues(string key, long[] shape, string dtype, float[] values, string source, string output = "out", params string[] options)
    {
        ToolRun.Succeed(["dequantize", source, "--output", _folder[output], .. options]);

        (string name, (TensorInfo info, byte[] bytes)) = Assert.Single(OutputFolder.Tensors(_folder[output]));
        Assert.Equal((key, dtype), (name, info.DType.Name()));
        Assert.Equal(shape, info.Shape.Dimensions);
        byte[] expected = Stored.Bytes(dtype, values);
        Assert.True(expected.AsSpan().SequenceEqual(bytes), $"differs, first at byte {expected.AsSpan().CommonPrefixLength(bytes)}");
    }
}
