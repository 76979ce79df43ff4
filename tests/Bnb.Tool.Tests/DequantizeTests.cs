using System.Runtime.InteropServices;
using Bnb.Engine.Errors;
using Bnb.Formats.Primitives;
using Bnb.TestKit;
using Bnb.Tool.Tests.Diff;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>Values, shapes and files that <c>dequantize</c> writes, from checkpoints of every layout.</summary>
public sealed class DequantizeTests : IDisposable
{
    private const string Quantized = """{"model_type": "llama", "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true}}""";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, int, bool> Layouts()
    {
        var layouts = new TheoryData<string, int, bool>();
        foreach (string type in (string[])["nf4", "fp4"])
            foreach (int blocksize in (int[])[32, 64, 128, 256, 512, 1024, 2048, 4096])
                foreach (bool nested in (bool[])[false, true])
                    layouts.Add(type, blocksize, nested);

        return layouts;
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Dequantize_AnyLayout_GivesTheValuesOfTheDefinition(string type, int blocksize, bool nested)
    {
        // Several chunks, and an end that fills neither a block nor a nested block nor a byte.
        var packed = new HandPacked { Rows = 613, Columns = 457, QuantType = type, Blocksize = blocksize, Nested = nested };

        AssertValues(packed, Write(packed.Tensors()));
    }

    [Theory]
    [InlineData("bfloat16", "float16")]
    [InlineData("float16", "float32")]
    [InlineData("float32", "bfloat16")]
    public void Dequantize_AnyDType_RoundsOnceToIt(string stored, string asked)
    {
        HandPacked packed = new() { DType = stored, Nested = true }, other = new() { DType = asked, Nested = true };
        string source = Write(packed.Tensors());

        AssertValues(packed, source);
        ToolRun.Succeed("dequantize", source, "--output", _folder["asked"], "--dtype", asked);
        Assert.Equal(HandPacked.Store(other.Values(), asked), OutputFolder.Tensors(_folder["asked"])[HandPacked.Name].Bytes);
    }

    [Theory]
    [InlineData("U8")]
    [InlineData("BF16")]
    [InlineData("F16")]
    [InlineData("F32")]
    [InlineData("I8")]
    public void Dequantize_AnyQuantStorage_GivesTheSame(string storage)
    {
        var packed = new HandPacked { Storage = storage };
        List<TestTensor> tensors = [.. packed.Tensors()];
        if (storage == "I8") tensors[0] = tensors[0] with { Shape = [tensors[0].Data.Length, 1] };

        AssertValues(packed, Write(tensors));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 31)]
    [InlineData(7, 37)]
    [InlineData(33, 1)]
    [InlineData(3, 4097)]
    public void Dequantize_OddSizes_HaveTheirShape(long rows, long columns)
    {
        foreach (bool nested in (bool[])[false, true])
        {
            var packed = new HandPacked { Rows = rows, Columns = columns, Nested = nested };
            AssertValues(packed, Write(packed.Tensors(), nested ? "nested" : "flat"), nested ? "out-nested" : "out-flat");
        }
    }

    [Fact]
    public void Dequantize_NoValues_GivesAnEmptyWeight()
    {
        var packed = new HandPacked { Rows = 0, Columns = 64 };

        AssertValues(packed, Write(packed.Tensors()));
    }

    [Fact]
    public void Dequantize_CompanionsInAnotherShard_AreFound()
    {
        IReadOnlyList<TestTensor> tensors = new HandPacked { Nested = true }.Tensors();
        CheckpointBuilder.Sharded(_folder["source"], [[tensors[0], TestTensor.Floats("norm.weight", "BF16", 8)], [.. tensors.Skip(1)]], Quantized);

        AssertValues(new HandPacked { Nested = true }, _folder["source"]);
    }

    [Theory]
    [InlineData(".absmax")]
    [InlineData(".quant_map")]
    [InlineData(".nested_absmax")]
    [InlineData(".nested_quant_map")]
    [InlineData("")]
    public void Dequantize_MissingPart_IsMalformed(string suffix)
    {
        string source = Write(new HandPacked { Nested = true }.Tensors().Where(tensor => tensor.Name != HandPacked.Name + suffix));

        AssertRefused(source, ExitCode.InputMalformed, "BNB-STATE", HandPacked.Name + suffix);
    }

    [Fact]
    public void Dequantize_PartsOfAnotherLength_AreMalformed()
    {
        foreach (int part in (int[])[0, 1, 3, 4, 5])
        {
            List<TestTensor> tensors = [.. new HandPacked { Nested = true }.Tensors()];
            tensors[part] = tensors[part] with { Shape = [tensors[part].Shape[0] + 1, .. tensors[part].Shape.Skip(1)], Data = [.. tensors[part].Data, .. new byte[part == 0 || part == 3 ? 1 : 4]] };

            AssertRefused(Write(tensors, $"part{part}"), ExitCode.InputMalformed, "BNB-STATE", tensors[part].Name);
        }
    }

    [Fact]
    public void Dequantize_PlainCheckpoint_IsNotQuantized() =>
        AssertRefused(Golden.File("tiny-llama", "source"), ExitCode.InputUnsupported, "NOT-QUANTIZED", null);

    [Fact]
    public void Dequantize_FolderWithoutConfig_IsRefused() =>
        AssertRefused(CheckpointBuilder.SingleFile(_folder["bare"], new HandPacked().Tensors(), config: null), ExitCode.InputMissing, "FILE-MISSING", null);

    [Fact]
    public void Dequantize_Gpt2_PutsConv1DBackAsItWas()
    {
        TestTensor[] tensors =
        [
            new("h.0.attn.c_attn.weight", "BF16", [64, 192], HandPacked.Store(Normals(64 * 192), "bfloat16")),
            new("h.0.attn.c_proj.weight", "BF16", [64, 64], HandPacked.Store(Normals(64 * 64), "bfloat16")),
            new("h.0.mlp.c_fc.weight", "BF16", [64, 257], HandPacked.Store(Normals(64 * 257), "bfloat16")),
            TestTensor.Floats("h.0.attn.c_attn.bias", "BF16", 192),
            TestTensor.Floats("wte.weight", "BF16", 100, 64),
        ];
        CheckpointBuilder.SingleFile(_folder["source"], tensors, """{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}""");
        ToolRun.Succeed("quantize", _folder["source"], "--output", _folder["nf4"]);

        ToolRun.Succeed("dequantize", _folder["nf4"], "--output", _folder["back"]);

        var back = OutputFolder.Tensors(_folder["back"]);
        Assert.Equal(tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal), back.Keys.Order(StringComparer.Ordinal));
        foreach (TestTensor tensor in tensors)
        {
            Assert.Equal(tensor.Shape, back[tensor.Name].Info.Shape.Dimensions);
            double error = RelativeError(tensor.Data, back[tensor.Name].Bytes);
            if (tensor.Name.StartsWith("h.0.", StringComparison.Ordinal) && tensor.Name.EndsWith("weight", StringComparison.Ordinal)) Assert.InRange(error, 0.07, 0.12);
            else Assert.Equal(0, error);
        }
    }

    [Fact]
    public void Dequantize_AnyThreadsAndMemory_WritesTheSameBytes()
    {
        var packed = new HandPacked { Rows = 700, Columns = 901, Nested = true };
        var conv = new HandPacked { Key = "h.0.mlp.c_fc.weight", Rows = 901, Columns = 700, Blocksize = 512 };
        CheckpointBuilder.SingleFile(
            _folder["source"], [.. packed.Tensors(), .. conv.Tensors(), TestTensor.Floats("n", "F32", 99_999)], Quantized.Replace("llama", "gpt2", StringComparison.Ordinal));
        string[][] runs = [["--threads", "1"], ["--threads", "4"], ["--threads", "3", "--max-memory", "3MB"]];

        string[] results = [.. runs.Select((options, i) =>
        {
            ToolRun.Succeed(["dequantize", _folder["source"], "--output", _folder[$"out{i}"], "--dtype", "float32", .. options]);
            return OutputFolder.Fingerprint(_folder[$"out{i}"]);
        })];

        Assert.All(results, result => Assert.Equal(results[0], result));
        float[] values = (conv with { DType = "float32" }).Values(), transposed = new float[values.Length];
        for (int i = 0; i < values.Length; i++) transposed[(i % 700 * 901) + (i / 700)] = values[i];
        Assert.Equal(HandPacked.Bytes(transposed), OutputFolder.Tensors(_folder["out0"])[conv.Key].Bytes);
    }

    private static float[] Normals(int count) =>
        [.. FloatPalette.Normals(count, count, 0.05f).Select(value => HandPacked.Round(value, "bfloat16"))];

    private static double RelativeError(byte[] expected, byte[] actual)
    {
        ReadOnlySpan<ushort> a = MemoryMarshal.Cast<byte, ushort>(expected), b = MemoryMarshal.Cast<byte, ushort>(actual);
        double error = 0, reference = 0;
        for (int i = 0; i < a.Length; i++)
        {
            double x = BitConverter.UInt32BitsToSingle((uint)a[i] << 16), y = BitConverter.UInt32BitsToSingle((uint)b[i] << 16);
            error += (x - y) * (x - y);
            reference += x * x;
        }

        return Math.Sqrt(error / reference);
    }

    private string Write(IEnumerable<TestTensor> tensors, string folder = "source") =>
        CheckpointBuilder.SingleFile(_folder[folder], tensors, Quantized);

    private void AssertValues(HandPacked packed, string source, string output = "out")
    {
        ToolRun.Succeed("dequantize", source, "--output", _folder[output]);

        var tensors = OutputFolder.Tensors(_folder[output]);
        (TensorInfo info, byte[] bytes) = tensors[packed.Key];
        Assert.Equal([packed.Rows, packed.Columns], info.Shape.Dimensions);
        Assert.Equal(packed.DType switch { "float16" => DType.F16, "bfloat16" => DType.BF16, _ => DType.F32 }, info.DType);
        Assert.DoesNotContain(tensors.Keys, name => name.StartsWith(packed.Key + ".", StringComparison.Ordinal));
        Assert.True(HandPacked.Store(packed.Values(), packed.DType).AsSpan().SequenceEqual(bytes));
    }

    private void AssertRefused(string source, ExitCode exit, string code, string? tensor)
    {
        ToolRun run = ToolRun.Of("dequantize", source, "--output", _folder["refused"]);

        Assert.True(run.Exit == exit, $"exit {run.Exit}: {run.Error}");
        Assert.Contains($"error[{code}]", run.Error, StringComparison.Ordinal);
        if (tensor is not null) Assert.Contains(tensor, run.Error, StringComparison.Ordinal);
        Assert.False(Path.Exists(_folder["refused"]));
    }
}
