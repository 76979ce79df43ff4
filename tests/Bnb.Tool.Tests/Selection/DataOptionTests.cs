using System.Buffers.Binary;
using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Selection;

/// <summary>Options and refusals about the numbers themselves: NaN, storage dtypes, quantized sources, fused experts.</summary>
public sealed class DataOptionTests : IDisposable
{
    private const string Weight = "model.layers.0.mlp.down_proj.weight";

    private readonly TempFolder _folder = new();

    private string Output => _folder["out"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("F32", null)]
    [InlineData("F16", null)]
    [InlineData("F64", null)]
    [InlineData("BF16", null)]
    [InlineData("BF16", "--dry-run")]
    public void Quantize_NonFinite_NamesTensorCountsAndTheFirstPlace(string dtype, string? option)
    {
        string source = NonFinite(dtype, Weight);

        ToolRun run = ToolRun.Of(["quantize", source, "--output", Output, .. option is null ? Array.Empty<string>() : [option]]);

        Refusal.AssertIs(run, ExitCode.DataCheckFailed, "DATA-NONFINITE");
        Assert.Matches($@"\n  tensor +{Weight}\n  NaN +2\n  \+Inf +1\n  -Inf +3\n  first at +row 3, column 5 \(flat index 305\)\n", run.Error);
        Refusal.AssertNothingWritten(Output);
    }

    [Fact]
    public void Quantize_NonFiniteInAConv1D_GivesThePlaceInTheFile()
    {
        string source = NonFinite("F32", "h.0.mlp.c_fc.weight", """{"model_type": "gpt2"}""");

        ToolRun run = ToolRun.Of("quantize", source, "--output", Output, "--max-memory", "600kB");

        Refusal.AssertIs(run, ExitCode.DataCheckFailed, "DATA-NONFINITE");
        Assert.Contains("row 3, column 5 (flat index 305)", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_NonFiniteExcludedOrKept_Works()
    {
        string source = NonFinite("F32", Weight);

        ToolRun excluded = ToolRun.Succeed("quantize", source, "--output", _folder["a"], "--exclude", "*down_proj");
        ToolRun.Succeed("quantize", source, "--output", _folder["b"], "--non-finite", "keep", "--double-quant", "false");

        Assert.Contains($"{Weight}\" holds NaN or Inf and was copied as it is", excluded.Error, StringComparison.Ordinal);
        Assert.Equal(OutputFolder.Tensors(source)[Weight].Bytes, OutputFolder.Tensors(_folder["a"])[Weight].Bytes);
        OutputContract.AssertHolds(_folder["b"]);
        ToolRun.Succeed("inspect", _folder["b"]);
    }

    [Fact]
    public void Quantize_InfinityKeptWithDoubleQuant_IsRefusedBecauseNoReaderTakesTheOffset()
    {
        byte[] data = new byte[4 * 700];
        BitConverter.TryWriteBytes(data, float.PositiveInfinity);
        string source = CheckpointBuilder.SingleFile(_folder["inf"], [new TestTensor(Weight, "F32", [7, 100], data)]);

        Refusal.AssertIs(ToolRun.Of("quantize", source, "--output", Output, "--non-finite", "keep"), ExitCode.DataCheckFailed, "DATA-NONFINITE");
        Refusal.AssertNothingWritten(Output);
    }

    [Theory]
    [InlineData("bfloat16", 3)]
    [InlineData("float16", 1)]
    [InlineData("float32", 7)]
    public void Quantize_StorageThatWouldCutTheTail_IsRefused(string storage, int extra)
    {
        string source = CheckpointBuilder.SingleFile(_folder["model"], [TestTensor.Floats(Weight, "BF16", 1, 64 + extra)]);

        Refusal.AssertIs(ToolRun.Of("quantize", source, "--output", Output, "--quant-storage", storage), ExitCode.InputUnsupported, "STORAGE-TAIL");
        Refusal.AssertNothingWritten(Output);
        ToolRun.Succeed("quantize", source, "--output", Output, "--quant-storage", "uint8");
    }

    [Fact]
    public void Quantize_ConfigOfAQuantizationWithoutItsTensors_IsRefused()
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["model"], [TestTensor.Floats(Weight, "BF16", 64, 64)], """{"quantization_config": {"quant_method": "bitsandbytes"}}""");

        Refusal.AssertIs(ToolRun.Of("quantize", source, "--output", Output), ExitCode.InputUnsupported, "CFG-QUANTIZED");
        Refusal.AssertNothingWritten(Output);
    }

    [Fact]
    public void Quantize_FusedExperts_AreReportedWithTheirShare()
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["model"],
            [
                TestTensor.Floats("model.layers.0.mlp.experts.gate_up_proj", "BF16", 4, 64, 96),
                TestTensor.Floats("model.layers.0.mlp.experts.down_proj", "BF16", 4, 48, 64),
                TestTensor.Floats("model.layers.0.self_attn.o_proj.weight", "BF16", 64, 192),
            ],
            """{"model_type": "qwen3_moe"}""");

        ToolRun run = ToolRun.Succeed("quantize", source, "--output", Output);

        Assert.Single(run.Error.Split('\n'), line => line.Contains("fused", StringComparison.Ordinal));
        Assert.Contains("warning: 2 fused 3-D expert tensors stay unquantized", run.Error, StringComparison.Ordinal);
        Assert.Contains("75.0", run.Error, StringComparison.Ordinal);
        Assert.Contains("model.layers.0.mlp.experts.", run.Error, StringComparison.Ordinal);
        Assert.Equal(OutputFolder.Tensors(source)["model.layers.0.mlp.experts.down_proj"].Bytes, OutputFolder.Tensors(Output)["model.layers.0.mlp.experts.down_proj"].Bytes);
    }

    [Theory]
    [InlineData("BF16", "bfloat16")]
    [InlineData("F16", "float16")]
    [InlineData("F32", "float32")]
    public void Quantize_ComputeDType_IsTheSourcesOrTheOneAskedFor(string dtype, string name)
    {
        string source = CheckpointBuilder.SingleFile(_folder["model"], [TestTensor.Floats(Weight, dtype, 64, 64)]);

        ToolRun.Succeed("quantize", source, "--output", _folder["a"], "--block-size", "128", "--type", "fp4", "--double-quant", "false");
        ToolRun.Succeed("quantize", source, "--output", _folder["b"], "--compute-dtype", "float16");

        JsonElement config = JsonElement.Parse(File.ReadAllText(_folder["a", "config.json"])).GetProperty("quantization_config");
        Assert.Equal(
            (name, "fp4", false, "bitsandbytes"),
            (config.GetProperty("bnb_4bit_compute_dtype").GetString(), config.GetProperty("bnb_4bit_quant_type").GetString(),
                config.GetProperty("bnb_4bit_use_double_quant").GetBoolean(), config.GetProperty("quant_method").GetString()));
        Assert.Contains("\"bnb_4bit_compute_dtype\": \"float16\"", File.ReadAllText(_folder["b", "config.json"]), StringComparison.Ordinal);
    }

    /// <summary>[7, 100], the first bad value at row 3, column 5: two NaN, one +Inf, three -Inf.</summary>
    private string NonFinite(string dtype, string name, string config = CheckpointBuilder.LlamaConfig)
    {
        int size = Bytes.RandomWeights.SizeOf(dtype);
        byte[] data = new byte[700 * size];
        double[] bad = [double.NaN, double.NegativeInfinity, double.PositiveInfinity, double.NegativeInfinity, double.NaN, double.NegativeInfinity];
        for (int i = 0; i < bad.Length; i++)
        {
            Span<byte> place = data.AsSpan((305 + (i * 70)) * size);
            if (dtype == "F64") BinaryPrimitives.WriteDoubleLittleEndian(place, bad[i]);
            else if (dtype == "F32") BinaryPrimitives.WriteSingleLittleEndian(place, (float)bad[i]);
            else if (dtype == "F16") BinaryPrimitives.WriteHalfLittleEndian(place, (Half)bad[i]);
            else BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)(BitConverter.SingleToUInt32Bits((float)bad[i]) >> 16));
        }

        return CheckpointBuilder.SingleFile(_folder["model"], [new TestTensor(name, dtype, [7, 100], data)], config);
    }
}
