using System.Buffers.Binary;
using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Bytes;
using Xunit;

namespace Bnb.Tool.Tests.Integers;

/// <summary>Options of int8 and int4, and what is refused: options of another type, numbers that do not fit, names that are taken.</summary>
public sealed class IntegerOptionTests : IDisposable
{
    private const string Weight = "model.layers.0.mlp.up_proj.weight";

    private readonly TempFolder _folder = new();

    private string Output => _folder["out"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("int8", "--block-size", "64", "nf4 and fp4")]
    [InlineData("int4", "--block-size", "64", "nf4 and fp4")]
    [InlineData("int8", "--double-quant", "false", "nf4 and fp4")]
    [InlineData("int4", "--double-quant", "true", "nf4 and fp4")]
    [InlineData("int8", "--quant-storage", "uint8", "nf4 and fp4")]
    [InlineData("int4", "--compute-dtype", "float16", "nf4 and fp4")]
    [InlineData("int8", "--compute-dtype", "float16", "nf4 and fp4")]
    [InlineData("int8", "--group-size", "128", "int4")]
    [InlineData("nf4", "--group-size", "128", "int4")]
    [InlineData("int8", "--symmetric", "true", "int4")]
    [InlineData("fp4", "--symmetric", "false", "int4")]
    [InlineData("int4", "--int8-threshold", "6.0", "int8")]
    [InlineData("nf4", "--int8-threshold", "6.0", "int8")]
    [InlineData(null, "--int8-threshold", "6.0", "int8")]
    [InlineData(null, "--group-size", "64", "int4")]
    public void Quantize_OptionOfAnotherType_IsAUsageErrorThatNamesBoth(string? type, string option, string value, string owners)
    {
        string[] chosen = type is null ? [] : ["--type", type];

        ToolRun run = ToolRun.Of(["quantize", Source(), "--output", Output, option, value, .. chosen]);

        Refusal.AssertIs(run, ExitCode.Usage, "USAGE");
        Assert.Contains($"{option} is an option of {owners}; the type here is {type ?? "nf4"}", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(Output);
    }

    [Theory]
    [InlineData("int4", "--group-size", "16")]
    [InlineData("int4", "--group-size", "256")]
    [InlineData("int4", "--group-size", "")]
    [InlineData("int4", "--group-size", "-1")]
    [InlineData("int4", "--symmetric", "yes")]
    [InlineData("int4", "--symmetric", "1")]
    [InlineData("int4", "--symmetric")]
    [InlineData("int8", "--int8-threshold", "-1")]
    [InlineData("int8", "--int8-threshold", "NaN")]
    [InlineData("int8", "--int8-threshold", "Infinity")]
    [InlineData("int8", "--int8-threshold", "1e39")]
    [InlineData("int8", "--int8-threshold", "six")]
    [InlineData("int8", "--int8-threshold", "6,0")]
    public void Quantize_BadValue_IsAUsageErrorThatNamesTheOption(string type, params string[] bad)
    {
        ToolRun run = ToolRun.Of(["quantize", Source(), "--output", Output, "--type", type, .. bad]);

        Refusal.AssertIs(run, ExitCode.Usage, "USAGE");
        Assert.Contains(bad[0], run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(Output);
    }

    /// <summary>BF16 holds 70144 and 3e38, float16 ends at 65504 and rounds from 65520 on to infinity.</summary>
    [Theory]
    [InlineData("BF16")]
    [InlineData("F32")]
    [InlineData("F64")]
    public void Quantize_Int8BeyondFloat16_NamesTensorCountAndPlace(string dtype)
    {
        string source = With(dtype, Weight, (389, 70144), (411, -131072), (895, 65535));

        ToolRun run = ToolRun.Of("quantize", source, "--output", Output, "--type", "int8");

        Refusal.AssertIs(run, ExitCode.DataCheckFailed, "DATA-F16-RANGE");
        Assert.Matches($@"\n  tensor +{Weight}\n", run.Error);
        Assert.Matches(@"\n  values above 65504 +3\n  largest +-131072\n  first at +row 3, column 5 \(flat index 389\)\n", run.Error);
        Refusal.AssertNothingWritten(Output);
    }

    [Fact]
    public void Quantize_Int8BeyondFloat16InAConv1D_GivesThePlaceInTheFile()
    {
        string source = With("F32", "h.0.mlp.c_fc.weight", """{"model_type": "gpt2"}""", (389, 1e6f));

        ToolRun run = ToolRun.Of("quantize", source, "--output", Output, "--type", "int8");

        Refusal.AssertIs(run, ExitCode.DataCheckFailed, "DATA-F16-RANGE");
        Assert.Contains("row 3, column 5 (flat index 389)", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_Int8BeyondFloat16InALongRow_IsFound()
    {
        float[] values = FloatPalette.Normals(1, 300_000);
        values[250_007] = -65520;
        string source = CheckpointBuilder.SingleFile(_folder["model"], [new TestTensor(Weight, "F32", [1, 300_000], Stored.Bytes("F32", values))]);

        ToolRun run = ToolRun.Of("quantize", source, "--output", Output, "--type", "int8");

        Refusal.AssertIs(run, ExitCode.DataCheckFailed, "DATA-F16-RANGE");
        Assert.Contains("row 0, column 250007 (flat index 250007)", run.Error, StringComparison.Ordinal);
    }

    /// <summary>60000 and -60000 are float16 values, their distance is none: such a group would decode to NaN.</summary>
    [Fact]
    public void Quantize_Int4GroupWiderThanItsDType_IsRefusedWithZeroPointsOnly()
    {
        string source = With("F16", Weight, (389, 60000), (390, -60000));

        ToolRun run = ToolRun.Of("quantize", source, "--output", Output, "--type", "int4", "--symmetric", "false");

        Refusal.AssertIs(run, ExitCode.DataCheckFailed, "DATA-RANGE");
        Assert.Contains("do           use --symmetric true", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(Output);
        ToolRun.Succeed("quantize", source, "--output", Output, "--type", "int4");
    }

    [Theory]
    [InlineData("int8", "--exclude")]
    [InlineData("nf4", null)]
    [InlineData("int4", null)]
    public void Quantize_BeyondFloat16_HasTheWaysOutThatTheErrorNames(string type, string? exclude)
    {
        string source = With("BF16", Weight, (389, 70144));

        ToolRun.Succeed(["quantize", source, "--output", Output, "--type", type, .. exclude is null ? Array.Empty<string>() : [exclude, Weight]]);
    }

    /// <summary>65519.996 is the largest float32 that float16 rounds to a number.</summary>
    [Fact]
    public void Quantize_Int8AtTheEdgeOfFloat16_Works()
    {
        ToolRun.Succeed("quantize", With("F32", Weight, (389, MathF.BitDecrement(65520))), "--output", Output, "--type", "int8");

        Assert.Equal(65504, Stored.Values("F32", OutputFolder.Tensors(Output)["model.layers.0.mlp.up_proj.SCB"].Bytes)[3]);
    }

    [Theory]
    [InlineData("int8", "F32")]
    [InlineData("int8", "F16")]
    [InlineData("int4", "BF16")]
    [InlineData("int4", "F64")]
    public void Quantize_NonFinite_NamesCountsAndPlaceWhateverElseIsTooLarge(string type, string dtype)
    {
        string source = With(dtype, Weight, (380, dtype == "F16" ? 1 : 70144), (389, float.NaN), (400, float.NegativeInfinity), (444, float.NaN));

        ToolRun run = ToolRun.Of("quantize", source, "--output", Output, "--type", type);

        Refusal.AssertIs(run, ExitCode.DataCheckFailed, "DATA-NONFINITE");
        Assert.Matches($@"\n  tensor +{Weight}\n  NaN +2\n  \+Inf +0\n  -Inf +1\n  first at +row 3, column 5 \(flat index 389\)\n", run.Error);
        Refusal.AssertNothingWritten(Output);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(32, true)]
    [InlineData(32, false)]
    public void Quantize_NonFiniteKept_GivesWhatTheKernelsGive(int groupSize, bool symmetric)
    {
        float[] values = FloatPalette.Mixed(new Random(5), 40 * 96, nonFinite: true);
        var weight = new TestTensor(Weight, "F32", [40, 96], Stored.Bytes("F32", values));
        var model = new WholeIntegerModel(groupSize, symmetric);

        ToolRun.Succeed(["quantize", CheckpointBuilder.SingleFile(_folder["model"], [weight]), "--output", Output, "--non-finite", "keep", .. model.Options]);

        var output = OutputFolder.Tensors(Output);
        Assert.All(model.Expected(weight), tensor => Assert.Equal(tensor.Value.Bytes, output[tensor.Key].Bytes));
        foreach (string command in (string[])["inspect", "dequantize"])
            ToolRun.Succeed([command, Output, .. command == "inspect" ? Array.Empty<string>() : ["--output", _folder["back"]]]);
    }

    [Fact]
    public void Quantize_Int8NonFiniteKeptInALongRow_GivesWhatTheKernelGives()
    {
        float[] values = FloatPalette.Mixed(new Random(6), 300_001, nonFinite: true);
        var weight = new TestTensor(Weight, "F32", [1, 300_001], Stored.Bytes("F32", values));

        ToolRun.Succeed("quantize", CheckpointBuilder.SingleFile(_folder["model"], [weight]), "--output", Output, "--non-finite", "keep", "--type", "int8");

        var output = OutputFolder.Tensors(Output);
        Assert.All(new WholeIntegerModel().Expected(weight), tensor => Assert.Equal(tensor.Value.Bytes, output[tensor.Key].Bytes));
    }

    [Theory]
    [InlineData("int8", "model.layers.0.mlp.up_proj.weight_format")]
    [InlineData("int4", "model.layers.0.mlp.up_proj.weight_scale")]
    [InlineData("int4", "model.layers.0.mlp.up_proj.weight_zero_point")]
    [InlineData("int4", "model.layers.0.mlp.up_proj.weight_shape")]
    public void Quantize_NameOfACompanionIsTaken_IsRefused(string type, string name)
    {
        string source = CheckpointBuilder.SingleFile(_folder["model"], [TestTensor.Floats(Weight, "BF16", 64, 128), TestTensor.Floats(name, "F32", 64)]);

        ToolRun run = ToolRun.Of("quantize", source, "--output", Output, "--type", type);

        Assert.Equal(ExitCode.InputUnsupported, run.Exit);
        Assert.Contains(name, run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(Output);
    }

    /// <summary>A scale of this name says that the weight is one of LLM.int8(), which it is not.</summary>
    [Fact]
    public void Quantize_ScbBesideAFloatWeight_IsABrokenInt8Weight()
    {
        string source = CheckpointBuilder.SingleFile(_folder["model"], [TestTensor.Floats(Weight, "BF16", 64, 128), TestTensor.Floats("model.layers.0.mlp.up_proj.SCB", "F32", 64)]);

        Refusal.AssertIs(ToolRun.Of("quantize", source, "--output", Output, "--type", "int8"), ExitCode.InputMalformed, "BNB-STATE");
        Refusal.AssertNothingWritten(Output);
    }

    [Theory]
    [InlineData("int8", "int8_threshold", "6")]
    [InlineData("int4", "group_size", "128")]
    [InlineData("int4", "symmetric", "true")]
    public void Quantize_Json_SaysTheRecipe(string type, string member, string value)
    {
        JsonElement result = JsonResult.Of(ToolRun.Succeed("quantize", Source(), "--output", Output, "--type", type, "--json"));

        Assert.Equal((type, value), (result.GetProperty("quant_type").GetString(), result.GetProperty(member).GetRawText()));
        Assert.False(result.TryGetProperty("blocksize", out _));
        JsonElement weight = result.GetProperty("tensors").EnumerateArray().Single(tensor => tensor.GetProperty("name").GetString() == Weight);
        Assert.Equal(type == "int8" ? (64 * 128) + (64 * 4) + 1 : (64 * 128 / 2) + (64 * 2) + 16, weight.GetProperty("bytes_after").GetInt64());
    }

    private string Source() => CheckpointBuilder.SingleFile(_folder["model"], [TestTensor.Floats(Weight, "BF16", 64, 128), TestTensor.Floats("model.norm.weight", "BF16", 128)]);

    private string With(string dtype, string name, params (int Index, float Value)[] special) => With(dtype, name, CheckpointBuilder.LlamaConfig, special);

    /// <summary>[7, 128], zero but for the given values; index 389 is row 3, column 5.</summary>
    private string With(string dtype, string name, string config, params (int Index, float Value)[] special)
    {
        int size = RandomWeights.SizeOf(dtype);
        byte[] data = new byte[7 * 128 * size];
        foreach ((int index, float value) in special)
        {
            Span<byte> place = data.AsSpan(index * size);
            if (dtype == "F64") BinaryPrimitives.WriteDoubleLittleEndian(place, value);
            else Stored.Bytes(dtype, [value]).CopyTo(place);
        }

        return CheckpointBuilder.SingleFile(_folder["model"], [new TestTensor(name, dtype, [7, 128], data)], config);
    }
}
