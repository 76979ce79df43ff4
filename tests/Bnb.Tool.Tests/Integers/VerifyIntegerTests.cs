using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Reports.Verification;
using Bnb.Engine.Verifying;
using Bnb.Quant.Backends;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;
using Verified = Bnb.Tool.Tests.Verify.Verification;

namespace Bnb.Tool.Tests.Integers;

/// <summary>int8 and int4 that were quantized right pass <c>verify</c>, whoever did it, and lose what theory says.</summary>
public sealed class VerifyIntegerTests : IDisposable
{
    private const string Gpt2 = """{"architectures":["GPT2LMHeadModel"],"model_type":"gpt2","torch_dtype":"float32"}""";

    private readonly TempFolder _folder = new();

    public static TheoryData<KernelPath> Paths => [.. KernelPaths.Available];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("nf4")]
    [InlineData("int8")]
    [InlineData("int4")]
    public void Verify_RecordedActivationsWithoutTokens_LeaveTheProductOut(string type)
    {
        string source = VerifyModel.Source(_folder["source"], "BF16");
        VerifyModel.Quantize(source, _folder["out"], ["--type", type, .. type == "int4" ? (string[])["--group-size", "32"] : []]);
        TestTensor nothing = new(VerifyModel.Up[..^".weight".Length], "F32", [0, 128], []);
        string activations = Path.Combine(CheckpointBuilder.SingleFile(_folder["recorded"], [nothing]), "model.safetensors");

        Verified done = Verified.Passing(_folder["out"], source, "--activations", activations);

        Assert.Equal(JsonValueKind.Null, done.Layer(VerifyModel.Up).GetProperty("gemm").ValueKind);
    }

    [Theory]
    [InlineData(4, 0)]
    [InlineData(0, 4)]
    public void Verify_Int8WithoutValues_IsAnAnswerAndNoCrash(long rows, long columns)
    {
        var hand = new HandRows8 { Rows = rows, Columns = columns };
        CheckpointBuilder.SingleFile(_folder["out"], hand.Tensors(), HandRows8.Config);
        CheckpointBuilder.SingleFile(_folder["source"], [new TestTensor(hand.Key, "BF16", [rows, columns], [])]);

        ToolRun run = ToolRun.Of("verify", _folder["out"], "--source", _folder["source"]);

        Assert.True(run.Exit is ExitCode.Done or ExitCode.VerificationFailed, $"{run.Exit}: {run.Error}");
    }

    /// <summary>compressed-tensors packs linear layers only, whatever their names and the model.</summary>
    [Fact]
    public void Dequantize_Int4NamedLikeAConv1D_IsWhatVerifyAndDiffTakeItFor()
    {
        var hand = new HandGroups4 { Path = "h.0.attn.c_attn", Rows = 48, Columns = 64, GroupSize = 32 };
        string config = """{"model_type": "gpt2", """ + HandGroups4.Config(32, symmetric: true).TrimStart()[1..];
        CheckpointBuilder.SingleFile(_folder["out"], hand.Tensors(), config.Replace("\"model_type\": \"llama\", ", "", StringComparison.Ordinal));

        ToolRun.Succeed("dequantize", _folder["out"], "--output", _folder["back"]);

        Assert.Equal([48L, 64L], OutputFolder.Tensors(_folder["back"])[hand.Key].Info.Shape.Dimensions);
        Assert.Contains("\"values\":{\"count\":3072,\"differing\":0", ToolRun.Of("diff", _folder["out"], _folder["back"], "--json").Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("BF16", "int8")]
    [InlineData("F16", "int8")]
    [InlineData("F32", "int8")]
    [InlineData("BF16", "int4", "--group-size", "64")]
    [InlineData("F16", "int4", "--group-size", "32", "--symmetric", "false")]
    [InlineData("F32", "int4", "--group-size", "64", "--symmetric", "false")]
    [InlineData("F32", "int4", "--group-size", "32")]
    public void Verify_OwnOutput_PassesWithoutADifference(string dtype, string type, params string[] options)
    {
        string source = VerifyModel.Source(_folder["source"], dtype);
        VerifyModel.Quantize(source, _folder["out"], ["--type", type, .. options]);

        Verified done = Verified.Passing(_folder["out"], source);

        AssertPerfect(done, type);
        Assert.Equal((VerifyModel.Layers, 3), (done.Layers.Count, done.Report.GetProperty("plain_tensors").GetInt32()));
        Assert.All(done.LayerNames, name => Assert.InRange(done.Weight(name, "relative_rmse") / done.Weight(name, "expected"), 0.95, 1.05));
        JsonElement layer = done.Layer(VerifyModel.Up);
        bool symmetric = !options.Contains("false");
        Assert.Equal(type == "int8" ? "null" : options[1], layer.GetProperty("blocksize").GetRawText());
        Assert.Equal(type == "int8" ? "null" : symmetric ? "true" : "false", layer.GetProperty("symmetric").GetRawText());
        Assert.Equal((type, false), (layer.GetProperty("quant_type").GetString(), layer.GetProperty("double_quant").GetBoolean()));
        Assert.Equal(type == "int8" ? 192 : 192 * 128 / int.Parse(options[1]), done.Count(VerifyModel.Up, "blocks"));
        Assert.Equal(192 * 128, layer.GetProperty("histograms").GetProperty("code_use").EnumerateArray().Sum(count => count.GetInt64()));
        Assert.Equal(192 * 128, layer.GetProperty("histograms").GetProperty("error_counts").EnumerateArray().Sum(count => count.GetInt64()));
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("int4", "--group-size", "32", "--symmetric", "false")]
    public void Verify_F64Source_PassesWithoutADifference(string type, params string[] options)
    {
        TestTensor narrow = NormalWeights.Of(VerifyModel.Query, "F32", 1, 33, 96);
        byte[] wide = System.Runtime.InteropServices.MemoryMarshal.AsBytes<double>(Stored.Values("F32", narrow.Data).Select(value => value * (1 + 1e-10)).ToArray()).ToArray();
        string source = CheckpointBuilder.SingleFile(_folder["source"], [narrow with { DType = "F64", Data = wide }]);
        VerifyModel.Quantize(source, _folder["out"], ["--type", type, .. options]);

        AssertPerfect(Verified.Passing(_folder["out"], source), type);
    }

    [Theory]
    [InlineData("int8", 37, 129)]
    [InlineData("int8", 1, 1)]
    [InlineData("int8", 300, 1)]
    [InlineData("int8", 3, 100_001)]
    [InlineData("int8", 2, 300_001)]
    [InlineData("int4", 1, 128)]
    [InlineData("int4", 13, 1024)]
    [InlineData("int4", 3, 262_272)]
    [InlineData("int4", 2001, 256)]
    public void Verify_OddSizes_PassWithoutADifference(string type, long rows, long columns)
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"], [NormalWeights.Of(VerifyModel.Query, "BF16", 3, rows, columns)]);
        foreach (string symmetric in type == "int4" ? (string[])["true", "false"] : ["true"])
        {
            string output = _folder["out-" + symmetric];
            VerifyModel.Quantize(source, output, ["--type", type, .. type == "int4" ? (string[])["--symmetric", symmetric] : []]);

            Verified done = Verified.Passing(output, source, "--tokens", "3");

            AssertPerfect(done, type, exact: false);
            Assert.Equal(rows * columns, done.Count(VerifyModel.Query, "codes"));
        }
    }

    [Theory]
    [InlineData("--outlier-channels", "0")]
    [InlineData("--outlier-channels", "1")]
    [InlineData("--outlier-channels", "9")]
    [InlineData("--outlier-channels", "500")]
    [InlineData("--tokens", "1")]
    [InlineData("--compute-dtype", "float16")]
    [InlineData("--compute-dtype", "float16", "--outlier-channels", "3")]
    public void Verify_AnyActivations_StayWithinTheKernelsBound(params string[] options)
    {
        string source = VerifyModel.Source(_folder["source"]);
        foreach (string[] recipe in (string[][])[["int8"], ["int8", "--int8-threshold", "0"], ["int4", "--group-size", "64", "--symmetric", "false"]])
        {
            string output = _folder[$"out{recipe.Length}"];
            VerifyModel.Quantize(source, output, ["--type", .. recipe]);

            AssertPerfect(Verified.Passing(output, source, options), recipe[0], exact: !options.Contains("--tokens"));
        }
    }

    /// <summary>Outliers multiplied in 16 bit leave fine steps to the others; without a threshold they make all steps coarse.</summary>
    [Fact]
    public void Verify_Int8Threshold_IsTheConfigs()
    {
        string source = VerifyModel.Source(_folder["source"]);
        VerifyModel.Quantize(source, _folder["six"], "--type", "int8");
        VerifyModel.Quantize(source, _folder["never"], "--type", "int8", "--int8-threshold", "0");

        Verified six = Verified.Passing(_folder["six"], source, "--outlier-channels", "4");
        Verified never = Verified.Passing(_folder["never"], source, "--outlier-channels", "4");

        Assert.All(six.LayerNames, name => Assert.True(
            six.Gemm(name, "activation_relative_error") < 0.5 * never.Gemm(name, "activation_relative_error"),
            $"{six.Gemm(name, "activation_relative_error")} / {never.Gemm(name, "activation_relative_error")}"));
        Assert.All(six.LayerNames, name => Assert.Equal(six.Weight(name, "relative_rmse"), never.Weight(name, "relative_rmse")));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Verify_AnyKernelPath_SaysTheSameOfWhatIsStored(KernelPath path)
    {
        string source = VerifyModel.Source(_folder["source"]);
        foreach (string[] recipe in (string[][])[["int8"], ["int4", "--group-size", "32"], ["int4", "--group-size", "64", "--symmetric", "false"]])
        {
            string output = _folder[$"out{recipe.Length}"];
            VerifyModel.Quantize(source, output, ["--type", .. recipe]);

            Verified best = Verified.Passing(output, source, "--outlier-channels", "2"), forced = Forced(output, source, path);

            Assert.Equal(path.ToString().ToLowerInvariant(), forced.Report.GetProperty("kernel_path").GetString());
            AssertPerfect(forced, recipe[0]);
            foreach (string name in best.LayerNames)
            {
                Assert.Equal(best.Faithfulness(name).GetRawText(), forced.Faithfulness(name).GetRawText());
                Assert.Equal(best.Layer(name).GetProperty("weight").GetRawText(), forced.Layer(name).GetProperty("weight").GetRawText());
                Assert.Equal(best.Layer(name).GetProperty("histograms").GetRawText(), forced.Layer(name).GetProperty("histograms").GetRawText());
                Assert.Equal(1, forced.Gemm(name, "total_relative_error") / best.Gemm(name, "total_relative_error"), 1e-2);
            }
        }
    }

    [Theory]
    [InlineData("--threads", "1")]
    [InlineData("--threads", "5")]
    [InlineData("--threads", "3", "--max-memory", "20MB")]
    public void Verify_AnyThreadsAndMemory_SaysTheSame(params string[] options)
    {
        string source = VerifyModel.Source(_folder["source"]);
        foreach (string[] recipe in (string[][])[["int8"], ["int4", "--group-size", "64", "--symmetric", "false"]])
        {
            string output = _folder[recipe[0]];
            VerifyModel.Quantize(source, output, ["--type", .. recipe]);

            Assert.Equal(Verified.Passing(output, source).Comparable, Verified.Passing(output, source, options).Comparable);
        }
    }

    [Fact]
    public void Verify_Int8Conv1D_ComparesWithTheSourceTransposed()
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["source"],
            [
                NormalWeights.Of("transformer.wte.weight", "F32", 1, 16, 64),
                NormalWeights.Of("transformer.h.0.attn.c_attn.weight", "F32", 2, 64, 192),
                NormalWeights.Of("transformer.h.0.attn.c_proj.weight", "F32", 4, 64, 64),
            ],
            Gpt2);
        VerifyModel.Quantize(source, _folder["out"], "--type", "int8");

        Verified done = Verified.Passing(_folder["out"], source);

        AssertPerfect(done, "int8");
        Assert.Equal((2, 192), (done.Layers.Count, done.Layer("transformer.h.0.attn.c_attn.weight").GetProperty("rows").GetInt32()));
    }

    [Fact]
    public void Verify_Int8MadeByBitsandbytes_PassesWithoutADifference()
    {
        Verified done = Verified.Passing(Golden.File("tiny-llama", "int8", "model.safetensors"), Golden.File("tiny-llama", "source"));

        AssertPerfect(done, "int8", exact: false);
        Assert.Equal(14, done.Layers.Count);
    }

    [Theory]
    [InlineData("int4_sym_bfloat16_48x256_g64.safetensors", 64, true)]
    [InlineData("int4_asym_float16_9x128_g32.safetensors", 32, false)]
    [InlineData("int4_asym_float32_40x256_g128.safetensors", 128, false)]
    public void Verify_Int4MadeByCompressedTensors_PassesWithoutADifference(string file, int groupSize, bool symmetric)
    {
        GoldenTensors golden = GoldenTensors.Load("int4", file);
        TestTensor Of(string tensor, string name) => new($"{HandGroups4.Module}.{name}", golden.Dtype(tensor), golden.Shape(tensor), golden.Bytes(tensor));
        string source = CheckpointBuilder.SingleFile(_folder["source"], [Of("A", "weight")]);
        CheckpointBuilder.SingleFile(
            _folder["out"], golden.Names.Where(name => name.StartsWith("weight_", StringComparison.Ordinal)).Select(name => Of(name, name)), HandGroups4.Config(groupSize, symmetric));

        AssertPerfect(Verified.Of(_folder["out"], source), "int4", exact: false);
    }

    [Fact]
    public void Verify_Reports_FitTheirFormsAndABaseline()
    {
        string source = VerifyModel.Source(_folder["source"]);
        foreach (string[] recipe in (string[][])[["int8"], ["int4", "--group-size", "64", "--symmetric", "false"]])
        {
            string output = _folder[recipe[0]], json = _folder[recipe[0] + ".json"];
            string[] others = [.. ((string[])[".xml", ".md", ".html"]).Select(ending => _folder[recipe[0] + ending])];
            VerifyModel.Quantize(source, output, ["--type", .. recipe]);

            Verified done = Verified.Passing(output, source, ["--report", json, .. others.SelectMany(path => (string[])["--report", path])]);

            Assert.Empty(Tests.Verification.ReportSchema.Problems(done.Report.GetRawText()));
            Assert.Empty(Tests.Verification.ReportSchema.Problems(File.ReadAllText(json)));
            Assert.All(others, path => Assert.Contains(VerifyModel.Up, File.ReadAllText(path).Replace("<wbr>", "", StringComparison.Ordinal).Replace("\\", "", StringComparison.Ordinal), StringComparison.Ordinal));
            Verified.Passing(output, source, "--baseline", json);
            VerifyModel.Patched(output, _folder[recipe[0] + "-bad"], VerifyModel.Norm, data => data[0] ^= 1);
            Assert.Equal(["plain-diff"], Verified.Failing(_folder[recipe[0] + "-bad"], source, "--baseline", json).Failures());
        }
    }

    [Fact]
    public void Verify_MillionsOfNormalWeights_LoseWhatTheorySays()
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"], [NormalWeights.Of(VerifyModel.Query, "F32", 1, 4096, 512)]);
        foreach (string[] recipe in (string[][])[["int8"], ["int4"], ["int4", "--group-size", "32", "--symmetric", "false"]])
        {
            string output = _folder[$"{recipe[0]}{recipe.Length}"];
            VerifyModel.Quantize(source, output, ["--type", .. recipe]);

            Verified done = Verified.Passing(output, source, "--tokens", "0");

            double expected = recipe[0] == "int8" ? TheoryRows8.RelativeRmse(512)
                : recipe.Length == 1 ? TheoryGroups4.RelativeRmse(128, symmetric: true) : TheoryGroups4.RelativeRmse(32, symmetric: false);
            Assert.Equal(expected, done.Weight(VerifyModel.Query, "expected"));
            Assert.Equal(1, done.Weight(VerifyModel.Query, "relative_rmse") / expected, 4e-3);
        }
    }

    private static Verified Forced(string quantized, string source, KernelPath path)
    {
        VerificationReport report = VerifyRun.Execute(
            new VerifyRequest { QuantizedPath = quantized, SourcePath = source, OutlierChannels = 2, KernelPath = path },
            NoEvents.Instance,
            CancellationToken.None);
        Assert.True(report.Passed);
        return new Verified(ExitCode.Done, JsonElement.Parse(VerificationReportJsonLine.Of(report)));
    }

    private static void AssertPerfect(Verified done, string type, bool exact = true)
    {
        Assert.NotEmpty(done.Layers);
        Assert.Empty(done.Report.GetProperty("plain_differing").GetInt32() == 0 ? [] : done.Findings());
        Assert.All(done.LayerNames, name =>
        {
            Assert.Equal((0, 0, 0, 0), (done.Differing(name).Codes, done.Differing(name).Absmax, done.Count(name, "codes_excused"), done.Count(name, "absmax_excused")));
            Assert.Null(done.Cause(name));
            if (done.Layer(name).GetProperty("gemm").ValueKind == JsonValueKind.Null) return;
            Assert.InRange(done.Gemm(name, "kernel_bound_use"), 0, 1);
            double activations = done.Gemm(name, "activation_relative_error");
            if (type == "int4") Assert.Equal(0, activations);
            else Assert.InRange(activations, 0, 0.2);
            if (!exact) return;
            // Errors of weights and of activations are independent; the rounding of the result comes on top.
            double both = Math.Sqrt(Math.Pow(done.Weight(name, "relative_rmse"), 2) + (activations * activations));
            Assert.InRange(done.Gemm(name, "total_relative_error"), both * 0.7, (both * 1.3) + 0.003);
        });
    }
}
