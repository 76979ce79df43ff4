using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Diff;

/// <summary>Whole checkpoints: golden ones, large ones, GPT-2's layout, config and metadata, the screen.</summary>
public sealed class DiffCheckpointTests : IDisposable
{
    private const string Gpt2Config = """{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}""";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Diff_TinyLlamaAgainstItsNf4_ShowsTheErrorOfFourBits()
    {
        string source = Golden.File("tiny-llama", "source");
        ToolRun.Succeed("quantize", source, "--output", _folder["nf4"]);

        DiffOf diff = DiffOf.Paths(source, _folder["nf4"]);

        Assert.Equal(14, diff.Differing.Length);
        Assert.All(diff.Differing, weight =>
        {
            Assert.Equal(["quantized: BF16 -> nf4 b64 double bfloat16"], DiffOf.Changes(weight));
            // Normal weights at block size 64 lose 9 %; these have outliers and double quantization besides.
            Assert.InRange(weight.GetProperty("values").GetProperty("relative_rmse").GetDouble(), 0.085, 0.11);
        });
        Assert.Equal(["quantization_config"], DiffOf.Names(diff.Result.GetProperty("config").GetProperty("added")));
    }

    [Fact]
    public void Diff_Nf4AgainstFp4_NamesTheQuantType()
    {
        string source = Golden.File("tiny-llama", "source");
        ToolRun.Succeed("quantize", source, "--output", _folder["nf4"]);
        ToolRun.Succeed("quantize", source, "--output", _folder["fp4"], "--type", "fp4");

        DiffOf diff = DiffOf.Paths(_folder["nf4"], _folder["fp4"]);

        Assert.Equal(14, diff.Differing.Length);
        Assert.All(diff.Differing, weight => Assert.Equal(["quant_type: nf4 -> fp4"], DiffOf.Changes(weight)));
        Assert.Equal(["quantization_config"], DiffOf.Names(diff.Result.GetProperty("config").GetProperty("changed")));
    }

    [Fact]
    public void Diff_OursAgainstBitsandbytes_DiffersInFewNestedCodesOnly()
    {
        ToolRun.Succeed("quantize", Golden.File("tiny-llama", "source"), "--output", _folder["nf4"]);

        DiffOf diff = DiffOf.Paths(_folder["nf4"], Golden.File("tiny-llama", "nf4-dq", "model.safetensors"));

        Assert.All(diff.Differing, weight =>
        {
            Assert.Empty(DiffOf.Changes(weight));
            Assert.Equal(["absmax"], DiffOf.Names(weight.GetProperty("parts_differing")));
            Assert.Equal(0, weight.GetProperty("codes").GetProperty("changed").GetInt64());
            JsonElement absmax = weight.GetProperty("absmax");
            Assert.InRange(absmax.GetProperty("changed").GetDouble() / absmax.GetProperty("blocks").GetDouble(), 0, 0.02);
            Assert.InRange(weight.GetProperty("values").GetProperty("relative_rmse").GetDouble(), 0, 0.01);
        });
    }

    [Theory]
    [InlineData("nf4", 64, true, "5MB")]
    [InlineData("fp4", 4096, false, "20MB")]
    public void Diff_AnyThreadsAndMemory_SaysTheSame(string type, int blocksize, bool nested, string memory)
    {
        (string a, string b) = LargePair(new HandPacked { Rows = 1500, Columns = 1024, QuantType = type, Blocksize = blocksize, Nested = nested });

        string expected = Text(DiffOf.Paths(a, b, "--threads", "1"));
        foreach (string[] options in (string[][])[["--threads", "2"], ["--threads", "5"], ["--threads", "4", "--max-memory", memory]])
            Assert.Equal(expected, Text(DiffOf.Paths(a, b, options)));
    }

    [Fact]
    public void Diff_OneChunkOfMany_ErrorIsRelativeToTheWholeWeight()
    {
        var packed = new HandPacked { Rows = 1500, Columns = 1024 };
        (string a, string b) = LargePair(packed);
        IReadOnlyList<TestTensor> changed = packed.Tensors();
        changed[0].Data[400_000] ^= 0x77;

        JsonElement weight = DiffOf.Paths(a, b).Of(HandPacked.Name);

        Assert.Equal(2, weight.GetProperty("codes").GetProperty("changed").GetInt32());
        Assert.Equal(800_000, weight.GetProperty("values").GetProperty("first").GetInt32());
        DiffPlainTests.AssertError(packed.Values(), packed.Decode(changed), weight.GetProperty("values"));
    }

    [Fact]
    public void Diff_Gpt2AgainstItsNf4_LooksThroughTheTransposition()
    {
        float[] values = FloatPalette.Normals(7, 64 * 192, 0.05f);
        TestTensor[] tensors =
        [
            new("h.0.attn.c_attn.weight", "F32", [64, 192], HandPacked.Bytes(values)),
            new("h.0.attn.c_proj.weight", "F32", [64, 64], HandPacked.Bytes(values.AsSpan(0, 64 * 64))),
            TestTensor.Floats("h.0.attn.c_attn.bias", "F32", 192),
        ];
        CheckpointBuilder.SingleFile(_folder["source"], tensors, Gpt2Config);
        ToolRun.Succeed("quantize", _folder["source"], "--output", _folder["nf4"]);
        // Another value of the [in, out] source is another one in [out, in].
        DiffOf.Edit(_folder["source"], "h.0.attn.c_attn.weight", bytes => MemoryMarshal.Cast<byte, float>(bytes.AsSpan())[(5 * 192) + 100] = 9f);

        DiffOf forth = DiffOf.Paths(_folder["source"], _folder["nf4"]), back = DiffOf.Paths(_folder["nf4"], _folder["source"]);

        foreach (DiffOf diff in (DiffOf[])[forth, back])
        {
            JsonElement square = diff.Of("h.0.attn.c_proj.weight").GetProperty("values"), wide = diff.Of("h.0.attn.c_attn.weight").GetProperty("values");
            Assert.InRange(square.GetProperty("relative_rmse").GetDouble(), 0.08, 0.11);
            Assert.InRange(wide.GetProperty("max_abs").GetDouble(), 8.5, 9.5);
            Assert.Equal(12288, wide.GetProperty("count").GetInt32());
            Assert.All(diff.Differing, weight => Assert.StartsWith("quantized", Assert.Single(DiffOf.Changes(weight)), StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Diff_TransposedWithoutGpt2_IsAnotherShape()
    {
        var packed = new HandPacked { Key = "h.0.attn.c_attn.weight" };
        CheckpointBuilder.SingleFile(_folder["a"], packed.Tensors());
        CheckpointBuilder.SingleFile(_folder["b"], [TestTensor.Floats(packed.Key, "BF16", 96, 48)]);

        JsonElement weight = DiffOf.Paths(_folder["a"], _folder["b"]).Only();

        Assert.Equal("shape: [48, 96] -> [96, 48]", DiffOf.Changes(weight)[1]);
    }

    [Fact]
    public void Diff_Configs_AreComparedByMember()
    {
        TestTensor[] tensors = [TestTensor.Floats("w", "F32", 4)];
        CheckpointBuilder.SingleFile(_folder["a"], tensors, """{"same": [1, {"x": NaN}], "gone": null, "other": 1}""");
        CheckpointBuilder.SingleFile(_folder["b"], tensors, "{\n \"other\": 2,\n \"new\": {},\n \"same\": [1,{\"x\":NaN}]\n}");
        CheckpointBuilder.SingleFile(_folder["reordered"], tensors, """{"other": 1, "gone": null, "same": [1, {"x": NaN}]}""");
        CheckpointBuilder.SingleFile(_folder["none"], tensors, config: null);

        DiffOf diff = DiffOf.Paths(_folder["a"], _folder["b"]);

        Assert.Equal(ExitCode.Differs, diff.Run.Exit);
        Assert.Equal("""{"changed":["other"],"added":["new"],"removed":["gone"]}""", diff.Result.GetProperty("config").GetRawText());
        Assert.Equal(ExitCode.Done, DiffOf.Paths(_folder["a"], _folder["reordered"]).Run.Exit);
        Assert.Equal(ExitCode.Differs, DiffOf.Paths(_folder["a"], _folder["none"]).Run.Exit);
        Assert.Equal(ExitCode.Done, DiffOf.Paths(_folder["a", "model.safetensors"], _folder["none", "model.safetensors"]).Run.Exit);
        Assert.Contains("the tensors are equal, config.json or metadata are not", ToolRun.Of("diff", _folder["a"], _folder["b"]).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_Metadata_IsComparedByKey()
    {
        string a = _folder.Write("a.safetensors", CheckpointBuilder.Raw("""{"__metadata__":{"format":"pt","by":"x","only":"1"}}""", []));
        string b = _folder.Write("b.safetensors", CheckpointBuilder.Raw("""{"__metadata__":{"by":"y","format":"pt"}}""", []));

        DiffOf diff = DiffOf.Paths(a, b);

        Assert.Equal(ExitCode.Differs, diff.Run.Exit);
        Assert.Equal("""{"changed":["by"],"added":[],"removed":["only"]}""", diff.Result.GetProperty("metadata").GetRawText());
    }

    [Fact]
    public void Diff_Patterns_ChooseTheTensors()
    {
        TestTensor[] a = [TestTensor.Floats("m.0.weight", "F32", 4), TestTensor.Floats("m.1.weight", "F32", 4), TestTensor.Floats("m.1.bias", "F32", 4)];
        TestTensor[] b = [a[0] with { Data = new byte[16] }, a[1] with { Data = new byte[16] }, a[2] with { Data = new byte[16] }];
        string pathA = _folder.Write("a.safetensors", CheckpointBuilder.Safetensors(a)), pathB = _folder.Write("b.safetensors", CheckpointBuilder.Safetensors(b));

        string[] Differing(params string[] args) => [.. JsonElement.Parse(ToolRun.Of(["diff", .. args, "--json"]).Out.Split('\n')[0])
            .GetProperty("differing").EnumerateArray().Select(weight => weight.GetProperty("name").GetString()!)];

        Assert.Equal(["m.1.bias", "m.1.weight"], Differing("--include", "m.1.*", pathA, pathB));
        Assert.Equal(["m.1.weight"], Differing(pathA, pathB, "--include", "m.1"));
        Assert.Equal(["m.0.weight", "m.1.bias"], Differing(pathA, "--exclude", "m.1*", pathB, "--include", "*.bias"));
        ToolRun unmatched = ToolRun.Of("diff", pathA, pathB, "--exclude", "n.*");
        Assert.Equal(ExitCode.Usage, unmatched.Exit);
        Assert.Contains("error[PATTERN-UNMATCHED]", unmatched.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_Screen_FoldsWhatDiffersAlikeAndGivesOneVerdict()
    {
        string source = Golden.File("tiny-llama", "source");
        ToolRun.Succeed("quantize", source, "--output", _folder["nf4"]);

        string screen = ToolRun.Of("diff", source, _folder["nf4"]).Out, all = ToolRun.Of("diff", source, _folder["nf4"], "--all").Out;

        Assert.Contains("model.layers.{0-1}.self_attn.q_proj.weight", screen, StringComparison.Ordinal);
        Assert.Contains("7 equal, 14 different, 0 only in A, 0 only in B", screen, StringComparison.Ordinal);
        Assert.StartsWith("different: 14 of 21 tensors; the largest relative RMSE is ", screen.TrimEnd('\n').Split('\n')[^1], StringComparison.Ordinal);
        Assert.DoesNotContain("model.norm.weight", screen, StringComparison.Ordinal);
        Assert.Contains("model.norm.weight", all, StringComparison.Ordinal);
        Assert.StartsWith("equal: all 21 tensors", ToolRun.Of("diff", source, source).Out.TrimEnd('\n').Split('\n')[^1], StringComparison.Ordinal);
        Assert.Empty(ToolRun.Of("diff", source, _folder["nf4"], "--verbosity", "quiet").Out);
    }

    [Fact]
    public void Diff_TooLittleMemory_IsAUsageError()
    {
        string source = Golden.File("tiny-llama", "source");

        ToolRun run = ToolRun.Of("diff", source, source, "--max-memory", "100KB");

        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains("--max-memory", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_MissingPath_IsAnErrorAndNoDifference() =>
        Assert.Equal(ExitCode.InputMissing, ToolRun.Of("diff", Golden.File("tiny-llama", "source"), _folder["nothing"]).Exit);

    /// <summary>A weight of several chunks, the same with one other byte, and plain and integer tensors that differ here and there.</summary>
    private (string A, string B) LargePair(HandPacked packed)
    {
        List<TestTensor> a = [.. packed.Tensors(), TestTensor.Floats("plain", "F16", 1100, 700), TestTensor.Numbered("ids", "I32", 400_000)];
        List<TestTensor> b = [.. a.Select(tensor => tensor with { Data = [.. tensor.Data] })];
        b[0].Data[400_000] ^= 0x77;
        for (int i = 1; i < b[^2].Data.Length; i += 9999) b[^2].Data[i - (i % 2)] ^= 2;
        b[^1].Data[1_500_001] ^= 1;
        return (_folder.Write("large-a.safetensors", CheckpointBuilder.Safetensors(a)), _folder.Write("large-b.safetensors", CheckpointBuilder.Safetensors(b)));
    }

    /// <summary>The result without what may differ from run to run.</summary>
    private static string Text(DiffOf diff)
    {
        JsonObject result = JsonNode.Parse(diff.Result.GetRawText())!.AsObject();
        result.Remove("seconds");
        return result.ToJsonString();
    }
}
