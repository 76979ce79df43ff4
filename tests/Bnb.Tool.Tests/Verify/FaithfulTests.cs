using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>What was quantized right passes, whoever did it.</summary>
public sealed class FaithfulTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("nf4", "true", "64")]
    [InlineData("nf4", "false", "64")]
    [InlineData("fp4", "true", "64")]
    [InlineData("nf4", "true", "32")]
    // Its outliers, one in a thousand, cost large blocks more than normal weights lose.
    [InlineData("fp4", "false", "128", "0.25", 2)]
    [InlineData("nf4", "false", "4096", "0.5", 5)]
    public void Verify_OwnOutputOfTinyLlama_PassesWithoutADifference(string type, string twice, string blocksize, string? limit = null, double most = 1.5)
    {
        string source = Golden.File("tiny-llama", "source");
        VerifyModel.Quantize(source, _folder["out"], "--type", type, "--double-quant", twice, "--block-size", blocksize);

        AssertPerfect(Verification.Passing(_folder["out"], source, limit is null ? [] : ["--max-rel-error", limit]), most);
    }

    [Theory]
    [InlineData("F16", "64")]
    [InlineData("F32", "32")]
    [InlineData("BF16", "4096")]
    [InlineData("F32", "256")]
    public void Verify_OwnOutputOfAnySourceType_PassesWithoutADifference(string dtype, string blocksize)
    {
        string source = VerifyModel.Source(_folder["source"], dtype);
        VerifyModel.Quantize(source, _folder["out"], "--block-size", blocksize);

        Verification done = Verification.Passing(_folder["out"], source);

        AssertPerfect(done);
        Assert.Equal(VerifyModel.Layers, done.Layers.Count);
        Assert.Equal(3, done.Report.GetProperty("plain_tensors").GetInt32());
        if (blocksize == "64")
            Assert.All(done.LayerNames, name => Assert.InRange(done.Weight(name, "relative_rmse") / done.Weight(name, "expected"), 0.95, 1.05));
    }

    [Theory]
    [InlineData("true", 37, 129)]
    [InlineData("false", 129, 37)]
    [InlineData("true", 1, 5)]
    [InlineData("false", 3, 65)]
    [InlineData("true", 300, 1001)]
    public void Verify_RowsThatDoNotEndWithBlocks_PassesWithoutADifference(string twice, long rows, long columns)
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"],
            [NormalWeights.Of(VerifyModel.Query, "BF16", 3, rows, columns), NormalWeights.Of("lm_head.weight", "BF16", 4, 8, 8)]);
        VerifyModel.Quantize(source, _folder["out"], "--double-quant", twice);

        Verification done = Verification.Passing(_folder["out"], source, "--tokens", "3");

        Assert.Equal((rows * columns, 0, 0), (done.Count(VerifyModel.Query, "codes"), done.Differing(VerifyModel.Query).Codes, done.Differing(VerifyModel.Query).Absmax));
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public void Verify_Conv1D_ComparesWithTheSourceTransposed(string twice)
    {
        const string config = """{"architectures":["GPT2LMHeadModel"],"model_type":"gpt2","torch_dtype":"float32"}""";
        string source = CheckpointBuilder.SingleFile(
            _folder["source"],
            [
                NormalWeights.Of("transformer.wte.weight", "F32", 1, 16, 64),
                NormalWeights.Of("transformer.h.0.attn.c_attn.weight", "F32", 2, 64, 192),
                NormalWeights.Of("transformer.h.0.attn.c_attn.bias", "F32", 3, 192),
                NormalWeights.Of("transformer.h.0.attn.c_proj.weight", "F32", 4, 64, 64),
                NormalWeights.Of("transformer.h.0.attn.c_proj.bias", "F32", 5, 64),
            ],
            config);
        VerifyModel.Quantize(source, _folder["out"], "--double-quant", twice);

        Verification done = Verification.Passing(_folder["out"], source);

        AssertPerfect(done);
        Assert.Equal(2, done.Layers.Count);
        Assert.Equal(192, done.Layer("transformer.h.0.attn.c_attn.weight").GetProperty("rows").GetInt32());
    }

    [Theory]
    [InlineData("nf4-dq")]
    [InlineData("fp4")]
    public void Verify_MadeByBitsandbytes_PassesWithExcusedDifferencesOnly(string made)
    {
        Verification done = Verification.Passing(Golden.File("tiny-llama", made, "model.safetensors"), Golden.File("tiny-llama", "source"));

        Assert.All(done.LayerNames, name => Assert.Equal((0, 0), done.Differing(name)));
        // Its CPU path rounds nested codes through a table, and has other thresholds and another zero for fp4.
        string excused = made == "fp4" ? "codes_excused" : "absmax_excused";
        Assert.InRange(done.LayerNames.Sum(name => done.Count(name, excused)), 1, done.Report.GetProperty("codes").GetInt64() / 50);
        Assert.Contains(done.Findings(), finding => finding is { Rule: "config", Fails: false });
    }

    private static void AssertPerfect(Verification done, double most = 1.5)
    {
        Assert.NotEmpty(done.Layers);
        Assert.Equal(0, done.Report.GetProperty("codes_differing").GetInt64());
        Assert.Equal(0, done.Report.GetProperty("plain_differing").GetInt64());
        Assert.All(done.LayerNames, name =>
        {
            Assert.Equal((0, 0, 0, 0), (done.Differing(name).Codes, done.Differing(name).Absmax, done.Count(name, "codes_excused"), done.Count(name, "absmax_excused")));
            Assert.Null(done.Cause(name));
            double expected = done.Weight(name, "expected");
            Assert.InRange(done.Weight(name, "relative_rmse"), expected * 0.5, expected * most);
            Assert.InRange(done.Gemm(name, "total_relative_error"), expected * 0.5, expected * most);
            Assert.InRange(done.Gemm(name, "kernel_bound_use"), 0, 1);
        });
    }
}
