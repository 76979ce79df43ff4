using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>Which layers are verified, and with which activations.</summary>
public sealed class SelectionTests(LimitTests.Model model) : IClassFixture<LimitTests.Model>, IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("1", 1)]
    [InlineData("3", 3)]
    [InlineData("100", 4)]
    [InlineData("50%", 2)]
    [InlineData("1%", 1)]
    [InlineData("100%", 4)]
    public void Verify_Sample_ChecksThatManyLayers(string sample, int expected)
    {
        Verification done = Verification.Passing(model.Good, model.Source, "--sample", sample);

        Assert.Equal(expected, done.Layers.Count);
        Assert.Equal(expected, done.LayerNames.Distinct().Count());
        Assert.Equal(VerifyModel.Layers, done.Report.GetProperty("layers_in_checkpoint").GetInt32());
        Assert.Equal(sample, done.Report.GetProperty("sample").GetString());
    }

    [Theory]
    [InlineData(3, "--exclude", "*.up_proj")]
    [InlineData(1, "--include", "*.up_proj.weight")]
    [InlineData(2, "--include", "*.mlp.*")]
    [InlineData(1, "--include", "*.mlp.*", "--exclude", "*.up_proj")]
    [InlineData(3, "--exclude", "*.mlp.*", "--include", "*.up_proj")]
    [InlineData(1, "--include", "*.mlp.*", "--sample", "1")]
    public void Verify_Patterns_TheLastMatchWins(int expected, params string[] options) =>
        Assert.Equal(expected, Verification.Passing(model.Good, model.Source, options).Layers.Count);

    [Fact]
    public void Verify_DamageInAnExcludedLayer_IsNotSeen() =>
        Verification.Passing(model.Damaged, model.Source, "--exclude", "*.up_proj");

    [Fact]
    public void Verify_PatternWithoutALayer_IsAUsageError() => Refusal.AssertIs(
        ToolRun.Of("verify", model.Good, "--source", model.Source, "--include", "*.gone"), ExitCode.Usage, "PATTERN-UNMATCHED");

    [Fact]
    public void Verify_NoTokens_LeavesTheProductsOut()
    {
        Verification done = Verification.Passing(model.Good, model.Source, "--tokens", "0");

        Assert.All(done.Layers, layer => Assert.Equal(System.Text.Json.JsonValueKind.Null, layer.GetProperty("gemm").ValueKind));
    }

    [Fact]
    public void Verify_OtherSeed_GivesOtherNumbersAndTheSameVerdict()
    {
        Verification one = Verification.Passing(model.Good, model.Source, "--seed", "1"), two = Verification.Passing(model.Good, model.Source, "--seed", "2");
        Verification again = Verification.Passing(model.Good, model.Source, "--seed", "1");

        Assert.Equal(one.Comparable, again.Comparable);
        Assert.All(one.LayerNames, name => Assert.NotEqual(one.Gemm(name, "total_relative_error"), two.Gemm(name, "total_relative_error")));
        Assert.All(one.LayerNames, name => Assert.Equal(one.Weight(name, "relative_rmse"), two.Weight(name, "relative_rmse")));
    }

    [Theory]
    [InlineData("--outlier-channels", "1")]
    [InlineData("--outlier-channels", "500")]
    [InlineData("--tokens", "1")]
    [InlineData("--compute-dtype", "float16")]
    public void Verify_OtherActivations_StillPasses(string option, string value)
    {
        Verification plain = Verification.Passing(model.Good, model.Source), done = Verification.Passing(model.Good, model.Source, option, value);

        Assert.All(done.LayerNames, name => Assert.NotEqual(plain.Gemm(name, "total_relative_error"), done.Gemm(name, "total_relative_error")));
        Assert.All(done.LayerNames, name => Assert.InRange(done.Gemm(name, "kernel_bound_use"), 0, 1));
    }

    [Fact]
    public void Verify_Float16_RoundsEightTimesAsFinely()
    {
        Verification coarse = Verification.Passing(model.Good, model.Source, "--compute-dtype", "bfloat16");
        Verification fine = Verification.Passing(model.Good, model.Source, "--compute-dtype", "float16");

        Assert.All(fine.LayerNames, name => Assert.InRange(
            coarse.Gemm(name, "kernel_relative_error") / fine.Gemm(name, "kernel_relative_error"), 7, 9));
    }

    [Theory]
    [InlineData("F32", "model.layers.0.self_attn.q_proj")]
    [InlineData("F16", VerifyModel.Query)]
    [InlineData("BF16", "model.layers.0.self_attn.q_proj")]
    public void Verify_RecordedActivations_AreUsedForTheirLayerOnly(string dtype, string key)
    {
        string file = _folder.Write("x.safetensors", CheckpointBuilder.Safetensors(NormalWeights.Of(key, dtype, 77, 5, 128)));
        Verification random = Verification.Passing(model.Good, model.Source), done = Verification.Passing(model.Good, model.Source, "--activations", file);

        Assert.Equal(5, done.Gemm(VerifyModel.Query, "tokens"));
        Assert.Equal(32, done.Gemm(VerifyModel.Key, "tokens"));
        Assert.NotEqual(random.Gemm(VerifyModel.Query, "total_relative_error"), done.Gemm(VerifyModel.Query, "total_relative_error"));
        Assert.Equal(random.Gemm(VerifyModel.Key, "total_relative_error"), done.Gemm(VerifyModel.Key, "total_relative_error"));
    }

    [Fact]
    public void Verify_RecordedActivationsOfManyTokens_AreAllUsed()
    {
        string file = _folder.Write("x.safetensors", CheckpointBuilder.Safetensors(NormalWeights.Of("model.layers.0.mlp.down_proj", "BF16", 77, 100, 192)));

        Assert.Equal(100, Verification.Passing(model.Good, model.Source, "--activations", file, "--tokens", "2").Gemm(VerifyModel.Down, "tokens"));
    }

    [Fact]
    public void Verify_RecordedActivationsWithoutRandomOnes_LeavesTheOtherProductsOut()
    {
        string file = _folder.Write("x.safetensors", CheckpointBuilder.Safetensors(NormalWeights.Of("model.layers.0.mlp.down_proj", "BF16", 77, 4, 192)));

        Verification done = Verification.Passing(model.Good, model.Source, "--activations", file, "--tokens", "0");

        Assert.Equal(4, done.Gemm(VerifyModel.Down, "tokens"));
        Assert.Equal(System.Text.Json.JsonValueKind.Null, done.Layer(VerifyModel.Up).GetProperty("gemm").ValueKind);
    }

    [Theory]
    [InlineData("F32", 5L, 127L)]
    [InlineData("I32", 5L, 128L)]
    [InlineData("F32", 640L)]
    public void Verify_RecordedActivationsThatDoNotFit_IsAUsageError(string dtype, params long[] shape)
    {
        string file = _folder.Write("x.safetensors", CheckpointBuilder.Safetensors(TestTensor.Numbered("model.layers.0.self_attn.q_proj", dtype, shape)));

        ToolRun run = ToolRun.Of("verify", model.Good, "--source", model.Source, "--activations", file);

        Refusal.AssertIs(run, ExitCode.Usage, "ACTIVATIONS");
        Assert.Contains("[tokens, 128]", run.Error, StringComparison.Ordinal);
    }
}
