using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Recipes;

/// <summary><c>--override</c>: other forms for single tensors, where loaders read them.</summary>
public sealed class OverrideTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("*.mlp.up_proj=nf4/32")]
    [InlineData("*.mlp.up_proj=/32")]
    [InlineData("model.layers.0.mlp.up_proj.weight=nf4/32")]
    [InlineData("re:model\\.layers\\.\\d+\\.mlp\\.up_proj=nf4/32")]
    [InlineData("*up_proj*=keep", "*.{gate,up}_proj=/32")]
    public void Quantize_OtherBlocksize_IsThatOfTheTensorAlone(params string[] overrides)
    {
        string source = VerifyModel.Source(_folder["source"]);

        string output = VerifyModel.Quantize(source, _folder["out"], Words(overrides));

        Assert.Equal(32, Blocksize(output, VerifyModel.Up));
        Assert.Equal(64, Blocksize(output, VerifyModel.Down));
        Assert.Equal(192 * 128 / 32, OutputFolder.Tensors(output)[VerifyModel.Up + ".absmax"].Bytes.Length);
        OutputContract.AssertHolds(output);
        Verify.Verification.Passing(output, source);
    }

    [Theory]
    [InlineData("*.down_proj=keep")]
    [InlineData("re:.*down_proj\\.weight=keep")]
    [InlineData("*_proj=/128", "*.down_proj=keep")]
    public void Quantize_Keep_CopiesTheTensorAndTellsTheLoaders(params string[] overrides)
    {
        string source = VerifyModel.Source(_folder["source"]);

        string output = VerifyModel.Quantize(source, _folder["out"], Words(overrides));

        Assert.Equal(OutputFolder.Tensors(source)[VerifyModel.Down].Bytes, OutputFolder.Tensors(output)[VerifyModel.Down].Bytes);
        JsonElement skipped = JsonElement.Parse(File.ReadAllText(Path.Combine(output, "config.json")))
            .GetProperty("quantization_config").GetProperty("llm_int8_skip_modules");
        Assert.Contains(skipped.EnumerateArray(), entry => entry.GetString()!.Contains("down_proj", StringComparison.Ordinal));
        Verify.Verification.Passing(output, source);
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("int4")]
    public void Quantize_KeepInOtherTypes_CopiesTheTensor(string type)
    {
        string source = VerifyModel.Source(_folder["source"]);

        string output = VerifyModel.Quantize(source, _folder["out"], "--type", type, "--override", "*.down_proj=keep");

        Assert.Equal(OutputFolder.Tensors(source)[VerifyModel.Down].Bytes, OutputFolder.Tensors(output)[VerifyModel.Down].Bytes);
        Verify.Verification.Passing(output, source);
    }

    [Theory]
    [InlineData("*.no_proj=keep", "matches no tensor")]
    [InlineData("*.up_proj=fp4", "fp4 cannot be mixed with nf4")]
    [InlineData("*.up_proj=int8", "transformers")]
    [InlineData("*.up_proj=nf5", "no data type nf5")]
    [InlineData("*.up_proj=nf4/48", "no block size 48")]
    public void Quantize_FormThatCannotBe_IsRefused(string rule, string why)
    {
        string source = VerifyModel.Source(_folder["source"]);

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"], "--override", rule);

        Refusal.AssertIs(run, ExitCode.Usage, "OVERRIDE");
        Assert.Contains(why, run.Error.ReplaceLineEndings(" "), StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Theory]
    [InlineData("*.up_proj")]
    [InlineData("=keep")]
    [InlineData("*.up_proj=")]
    [InlineData("*.up_proj=nf4/32/1")]
    [InlineData("*.up_proj=nf4/-32")]
    [InlineData("re:(=keep")]
    [InlineData("re:(a)\\1=keep")]
    public void Quantize_TextThatIsNoOverride_IsAUsageError(string rule)
    {
        string source = VerifyModel.Source(_folder["source"]);

        Refusal.AssertIs(ToolRun.Of("quantize", source, "--output", _folder["out"], "--override", rule), ExitCode.Usage, "USAGE");
    }

    [Theory]
    [InlineData("int8", "*.up_proj=/32")]
    [InlineData("fp8", "*.up_proj=/32")]
    [InlineData("int4", "*.up_proj=int4/48")]
    public void Quantize_SizesThatATypeDoesNotHave_AreRefused(string type, string rule)
    {
        string source = VerifyModel.Source(_folder["source"]);

        Refusal.AssertIs(ToolRun.Of("quantize", source, "--output", _folder["out"], "--type", type, "--override", rule), ExitCode.Usage, "OVERRIDE");
    }

    [Theory]
    [InlineData("--exclude")]
    [InlineData("--include")]
    public void Quantize_ExpressionAsPattern_MatchesWholeNames(string option)
    {
        string source = VerifyModel.Source(_folder["source"]);

        string output = VerifyModel.Quantize(
            source, _folder["out"], "--exclude", "re:.*\\.mlp\\..*", option, "re:model\\.layers\\.\\d+\\.mlp\\.(up|gate)_proj\\.weight");

        Assert.Equal(option == "--include", OutputFolder.Tensors(output).ContainsKey(VerifyModel.Up + ".absmax"));
        Assert.DoesNotContain(VerifyModel.Down + ".absmax", OutputFolder.Tensors(output).Keys);
    }

    private static List<string> Words(IEnumerable<string> overrides) => [.. overrides.SelectMany(rule => (string[])["--override", rule])];

    private static int Blocksize(string folder, string weight) =>
        JsonElement.Parse(OutputFolder.Tensors(folder)[weight + ".quant_state.bitsandbytes__nf4"].Bytes).GetProperty("blocksize").GetInt32();
}
