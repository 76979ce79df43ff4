using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Recipes;

/// <summary><c>init</c> and <c>--print-config</c>: recipe files that quantize reads back.</summary>
public sealed class InitTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public InitTests() => VerifyModel.Source(_folder["source"]);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("nf4")]
    [InlineData("fp4")]
    [InlineData("int8")]
    [InlineData("int4")]
    [InlineData("fp8")]
    public void Init_OfAModel_IsARecipeOfTheDefaults(string type)
    {
        string expected = VerifyModel.Quantize(_folder["source"], _folder["typed"], "--type", type);

        ToolRun.Succeed("init", _folder["source"], "--output", _folder["recipe.json"], "--type", type);
        string output = VerifyModel.Quantize(_folder["source"], _folder["read"], "--config", _folder["recipe.json"]);

        Assert.Equal(OutputFolder.Fingerprint(expected), OutputFolder.Fingerprint(output));
        Assert.Contains("//   model.layers.*.self_attn.q_proj (1)\n", File.ReadAllText(_folder["recipe.json"]), StringComparison.Ordinal);
    }

    // What an editor is given is what the recipes name.
    [Fact]
    public void InitSchema_Prints_TheSchemaThatRecipesName()
    {
        string schema = ToolRun.Succeed("init", "--schema").Out;

        Assert.Equal(File.ReadAllText(Path.Combine(Golden.RepositoryRoot, "docs", "schemas", "recipe-file.schema.json")), schema);
        ToolRun.Succeed("init", _folder["source"], "--output", _folder["recipe.json"]);
        Assert.Contains(System.Text.Json.JsonElement.Parse(schema).GetProperty("$id").GetString()!, File.ReadAllText(_folder["recipe.json"]), StringComparison.Ordinal);
        foreach (string[] other in (string[][])[[_folder["source"]], ["--json"], ["--type", "int8"]])
            Refusal.AssertIs(ToolRun.Of(["init", "--schema", .. other]), ExitCode.Usage, "USAGE");
        Refusal.AssertIs(ToolRun.Of("init"), ExitCode.Usage, "USAGE");
    }

    [Fact]
    public void Init_FileThatExists_IsNotReplaced()
    {
        File.WriteAllText(_folder["recipe.json"], "mine");

        Refusal.AssertIs(ToolRun.Of("init", _folder["source"], "--output", _folder["recipe.json"]), ExitCode.OutputRefused, "OUTPUT");

        Assert.Equal("mine", File.ReadAllText(_folder["recipe.json"]));
    }

    [Fact]
    public void Init_FolderThatIsNotThere_IsRefused() =>
        Refusal.AssertIs(ToolRun.Of("init", _folder["source"], "--output", _folder["no", "recipe.json"]), ExitCode.OutputRefused, "REPORT-FILE");

    [Theory]
    [InlineData]
    [InlineData("--type", "fp4", "--block-size", "128", "--double-quant", "false", "--quant-storage", "float16")]
    [InlineData("--type", "int4", "--group-size", "32", "--scale", "search", "--scale-dtype", "float16")]
    [InlineData("--type", "int8", "--int8-threshold", "5.5")]
    [InlineData("--exclude", "*.mlp.*", "--include", "*.up_proj", "--min-coverage", "12.5%", "--max-shard-size", "50kB")]
    [InlineData("--dtype", "float16")]
    [InlineData("--exclude", "*.mlp.*", "--include", "*_proj", "--exclude", "*.down_proj")]
    [InlineData("--override", "*_proj=/32", "--override", "re:.*down_proj=keep", "--compute-dtype", "float32", "--exclude-unaligned")]
    [InlineData("--loads-in", "transformers4,vllm", "--experts", "keep", "--non-finite", "keep", "--quantize-vision")]
    public void PrintConfig_GivenBack_MakesTheSame(params string[] options)
    {
        string expected = VerifyModel.Quantize(_folder["source"], _folder["typed"], options);

        ToolRun printed = ToolRun.Succeed(["quantize", _folder["source"], "--print-config", .. options]);
        File.WriteAllText(_folder["recipe.json"], printed.Out);
        string output = VerifyModel.Quantize(_folder["source"], _folder["read"], "--config", _folder["recipe.json"]);

        Assert.Equal(Weights(expected), Weights(output));
        ToolRun again = ToolRun.Succeed("quantize", _folder["source"], "--config", _folder["recipe.json"], "--print-config");
        Assert.Equal(printed.Out, again.Out);
    }

    /// <summary>Without the manifest, which keeps patterns as they were written.</summary>
    private static string Weights(string folder) => string.Join('\n', OutputFolder.Fingerprint(folder).Split('\n')
        .Where(line => !line.StartsWith("bnb-manifest.json", StringComparison.Ordinal) && !line.StartsWith("README.md", StringComparison.Ordinal)));
}
