using System.Buffers.Binary;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Sources;

/// <summary><c>quantize --dtype</c>: what a loader makes of a source that it is given a dtype for.</summary>
public sealed class CastTests : IDisposable
{
    private const string Query = "model.layers.0.self_attn.q_proj.weight";
    private const string Norm = "model.norm.weight";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Cast_ToBFloat16_RoundsToNearestEven()
    {
        uint[] stored = [0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x7f7fffff, 0xff800000, 0x80000001, 0x7fc00001];
        ushort[] expected = [0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x7f80, 0xff80, 0x8000, 0x7fc0];

        Assert.Equal(expected, Cast([.. stored.Select(BitConverter.UInt32BitsToSingle)], "bfloat16", "BF16"));
    }

    [Fact]
    public void Cast_ToFloat16_OverflowsToInfinity()
    {
        float[] stored = [1f + (1f / 2048), 1f + (3f / 2048), 65519f, 65520f, -1e30f, 5.9604645e-8f, 2.9802322e-8f, float.NaN, -0f];
        ushort[] expected = [0x3c00, 0x3c02, 0x7bff, 0x7c00, 0xfc00, 0x0001, 0x0000, 0xfe00, 0x8000];

        ushort[] cast = Cast(stored, "float16", "F16", "--non-finite", "keep");

        // The sign of a NaN is nobody's.
        Assert.Equal(expected.Select(bits => bits & 0x7fff), cast.Select(bits => bits & 0x7fff));
        Assert.True(Half.IsNaN(BitConverter.UInt16BitsToHalf(cast[7])));
        Assert.Equal((0xfc00, 0x8000), (cast[4], cast[8]));
    }

    [Theory]
    [InlineData("BF16", "float32", "F32")]
    [InlineData("F16", "float32", "F32")]
    [InlineData("F16", "bfloat16", "BF16")]
    [InlineData("F32", "float32", "F32")]
    public void Cast_OfEveryPair_IsOneRoundingOfEachValue(string from, string word, string to)
    {
        TestTensor norm = TestTensor.Floats(Norm, from, 70_000), whole = TestTensor.Numbered("model.position_ids", "I64", 1, 8);
        string source = CheckpointBuilder.SingleFile(_folder["source"], [norm, whole]);

        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "-t", "none", "--dtype", word, "--max-memory", "64MiB");

        var made = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal(to, made[Norm].Info.DType.ToString());
        Assert.Equal(whole.Data, made["model.position_ids"].Bytes);
        for (int i = 0; i < 70_000; i++) Assert.Equal(Rounded(Value(norm.Data, from, i), to), Value(made[Norm].Bytes, to, i));
    }

    [Theory]
    [InlineData("nf4", "bfloat16")]
    [InlineData("int8", "float16")]
    [InlineData("int4", "bfloat16")]
    [InlineData("fp8", "bfloat16")]
    public void Quantize_WithADType_IsQuantizingTheCastModel(string type, string dtype)
    {
        string source = Source("F32");
        ToolRun.Succeed("quantize", source, "--output", _folder["cast"], "-t", "none", "--dtype", dtype);
        ToolRun.Succeed("quantize", _folder["cast"], "--output", _folder["twice"], "-t", type);

        ToolRun.Succeed("quantize", source, "--output", _folder["once"], "-t", type, "--dtype", dtype);

        Assert.Equal(Model("twice"), Model("once"));
        ToolRun.Succeed("verify", _folder["once"], "--source", source);
    }

    [Fact]
    public void Quantize_Conv1DWithADType_IsQuantizingTheCastModel()
    {
        const string Config = "{\"architectures\": [\"GPT2LMHeadModel\"], \"model_type\": \"gpt2\"}\n";
        string source = CheckpointBuilder.SingleFile(
            _folder["source"], [TestTensor.Floats("h.0.attn.c_attn.weight", "F32", 64, 192), TestTensor.Floats("wte.weight", "F32", 64, 64)], Config);
        ToolRun.Succeed("quantize", source, "--output", _folder["cast"], "-t", "none", "--dtype", "bfloat16");
        ToolRun.Succeed("quantize", _folder["cast"], "--output", _folder["twice"]);

        ToolRun.Succeed("quantize", source, "--output", _folder["once"], "--dtype", "bfloat16");

        Assert.Equal(Model("twice"), Model("once"));
        ToolRun.Succeed("verify", _folder["once"], "--source", source);
    }

    [Theory]
    [InlineData("{\"model_type\": \"llama\", \"torch_dtype\": \"float32\"}\n", "{\"model_type\": \"llama\", \"torch_dtype\": \"bfloat16\"}\n")]
    [InlineData("{\"dtype\": \"torch.float32\", \"text_config\": {\"dtype\": \"float16\"}}\n", "{\"dtype\": \"torch.bfloat16\", \"text_config\": {\"dtype\": \"bfloat16\"}}\n")]
    [InlineData("{\"model_type\": \"llama\"}\n", "{\"model_type\": \"llama\", \"torch_dtype\": \"bfloat16\"}\n")]
    [InlineData("{\"dtype\": null}\n", "{\"dtype\": \"bfloat16\"}\n")]
    [InlineData("{\"_class_name\": \"FluxTransformer2DModel\"}\n", "{\"_class_name\": \"FluxTransformer2DModel\"}\n")]
    public void Config_OfACastModel_NamesItsDType(string before, string after)
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats(Norm, "F32", 64)], before);

        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "-t", "none", "--dtype", "bfloat16");

        Assert.Equal(after, File.ReadAllText(_folder["out", "config.json"]));
    }

    [Fact]
    public void Cast_WhatLoadersKeepInFloat32_StaysAsItIs()
    {
        const string Output = "encoder.block.0.layer.1.DenseReluDense.wo.weight", Input = "encoder.block.0.layer.1.DenseReluDense.wi.weight";
        string source = CheckpointBuilder.SingleFile(
            _folder["source"],
            [TestTensor.Floats(Output, "F32", 64, 64), TestTensor.Floats(Input, "F32", 64, 64)],
            "{\"architectures\": [\"T5ForConditionalGeneration\"], \"model_type\": \"t5\"}\n");

        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "-t", "none", "--dtype", "bfloat16");

        var made = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal(("F32", "BF16"), (made[Output].Info.DType.ToString(), made[Input].Info.DType.ToString()));
    }

    [Theory]
    [InlineData(Query, "nf4", "row 1, column 36 (flat index 100)")]
    [InlineData(Query, "int8", "row 1, column 36 (flat index 100)")]
    [InlineData(Query, "none", "row 1, column 36 (flat index 100)")]
    [InlineData(Norm, "nf4", "flat index 100")]
    [InlineData(Norm, "none", "flat index 100")]
    public void Quantize_ValueBeyondFloat16_IsCountedAndRefused(string name, string type, string place)
    {
        TestTensor[] tensors = [TestTensor.Floats(Query, "F32", 64, 64), TestTensor.Floats(Norm, "F32", 128)];
        TestTensor wide = tensors.Single(tensor => tensor.Name == name);
        BinaryPrimitives.WriteSingleLittleEndian(wide.Data.AsSpan(400), 70_000f);
        BinaryPrimitives.WriteSingleLittleEndian(wide.Data.AsSpan(404), -80_000f);
        string source = CheckpointBuilder.SingleFile(_folder["source"], tensors);

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"], "-t", type, "--dtype", "float16");

        Refusal.AssertIs(run, ExitCode.DataCheckFailed, "DATA-F16-RANGE");
        Assert.Contains($"error[DATA-F16-RANGE]: {name} ", run.Error, StringComparison.Ordinal);
        Assert.Contains("values above 65504  2\n", run.Error, StringComparison.Ordinal);
        Assert.Contains("largest             -80000\n", run.Error, StringComparison.Ordinal);
        Assert.Contains($"first at            {place}\n", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Fact]
    public void Quantize_InfinityOfTheSource_IsStillOnlyReportedInACopy()
    {
        TestTensor norm = TestTensor.Floats(Norm, "F32", 128);
        BinaryPrimitives.WriteSingleLittleEndian(norm.Data.AsSpan(400), float.PositiveInfinity);
        string source = CheckpointBuilder.SingleFile(_folder["source"], [norm]);

        ToolRun run = ToolRun.Succeed("quantize", source, "--output", _folder["out"], "-t", "none", "--dtype", "float16");

        Assert.Contains($"\"{Norm}\" holds NaN or Inf", run.Error, StringComparison.Ordinal);
    }

    private string Source(string dtype) => CheckpointBuilder.SingleFile(
        _folder["source"],
        [TestTensor.Floats(Query, dtype, 128, 128), TestTensor.Floats(Norm, dtype, 128), TestTensor.Floats("lm_head.weight", dtype, 128, 128)]);

    private ushort[] Cast(float[] values, string word, string to, params string[] options)
    {
        byte[] data = [.. values.SelectMany(BitConverter.GetBytes)];
        string source = CheckpointBuilder.SingleFile(_folder["source"], [new TestTensor(Norm, "F32", [values.Length], data)]);
        ToolRun.Succeed(["quantize", source, "--output", _folder["out"], "-t", "none", "--dtype", word, .. options]);
        (var info, byte[] bytes) = OutputFolder.Tensors(_folder["out"])[Norm];
        Assert.Equal(to, info.DType.ToString());
        return [.. Enumerable.Range(0, values.Length).Select(i => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(i * 2)))];
    }

    private string Model(string name) => OutputFolder.FingerprintOfModel(_folder[name]);

    private static float Value(byte[] bytes, string dtype, int i) => dtype switch
    {
        "F32" => BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(i * 4)),
        "F16" => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes.AsSpan(i * 2)),
        _ => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(i * 2)) << 16),
    };

    private static float Rounded(float value, string dtype)
    {
        if (dtype == "F32") return value;
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
    }
}
