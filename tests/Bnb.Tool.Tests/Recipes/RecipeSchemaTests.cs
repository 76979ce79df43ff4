using System.Text.Json;
using System.Text.Json.Nodes;
using Bnb.Cli.Commands;
using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.Recipes;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verification;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Recipes;

/// <summary>docs/schemas/recipe-file.schema.json against the options and against recipes that commands write.</summary>
public sealed class RecipeSchemaTests : IDisposable
{
    private const string Schema = "schemas/recipe-file.schema.json";

    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Schema_Properties_AreTheKeysThatQuantizeTakes()
    {
        var terminal = new FakeTerminal();
        using var signals = new SignalCancellation(listen: false);
        var quantize = Application.CreateRoot(new CommandHost(terminal, signals), terminal).Subcommands.Single(command => command.Name == "quantize");
        using JsonDocument schema = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Golden.RepositoryRoot, "docs", Schema)));

        IEnumerable<string> known = schema.RootElement.GetProperty("properties").EnumerateObject().Select(property => property.Name).Where(name => name != "$schema");

        Assert.Equal(RecipeArguments.Keys(quantize).Order(StringComparer.Ordinal), known.Order(StringComparer.Ordinal));
        Assert.All(known, key => Assert.Equal(key, Recipe.KeyOf(Recipe.OptionOf(key))));
        Assert.Equal(Recipe.SchemaId, schema.RootElement.GetProperty("$id").GetString());
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("int8")]
    [InlineData("int4")]
    [InlineData("fp8")]
    public void Recipe_ThatInitWrites_FitsAndNamesTheSchema(string type)
    {
        VerifyModel.Source(_folder["source"]);

        ToolRun.Succeed("init", _folder["source"], "--output", _folder["recipe.json"], "--type", type);

        AssertFits(File.ReadAllText(_folder["recipe.json"]));
    }

    [Fact]
    public void Recipes_ThatPlanAndPrintConfigWrite_Fit()
    {
        VerifyModel.Source(_folder["source"]);

        ToolRun.Succeed("plan", _folder["source"], "--target-bits", "7", "--output", _folder["plan.json"]);
        AssertFits(File.ReadAllText(_folder["plan.json"]));
        AssertFits(Printed());
        AssertFits(Printed("--type", "int4", "--group-size", "32", "--scale", "search", "--scale-dtype", "float16"));
        AssertFits(Printed("--include", "*.up_proj", "--min-coverage", "12.5%", "--max-shard-size", "50kB", "--non-finite", "keep"));
        AssertFits(Printed("--override", "re:.*down_proj=keep", "--compute-dtype", "float32", "--exclude-unaligned", "--loads-in", "transformers4,vllm", "--experts", "keep"));
    }

    [Fact]
    public void PrintConfig_Json_IsOneLineWithTheSameOptions()
    {
        VerifyModel.Source(_folder["source"]);
        JsonNode printed = JsonNode.Parse(Printed("--type", "fp4"))!;
        printed.AsObject().Remove("$schema");

        JsonElement line = JsonResult.Of(ToolRun.Succeed("quantize", _folder["source"], "--print-config", "--type", "fp4", "--json"));

        Assert.Equal("config", line.GetProperty("type").GetString());
        Assert.True(JsonNode.DeepEquals(printed, JsonNode.Parse(line.GetProperty("options").GetRawText())));
        Assert.Empty(ReportSchema.Problems(line.GetRawText(), "schemas/config.schema.json"));
    }

    [Theory]
    [InlineData("""{"blocksize": 64}""")]
    [InlineData("""{"type": "nf5"}""")]
    [InlineData("""{"blockSize": 63}""")]
    [InlineData("""{"output": "out"}""")]
    [InlineData("""{"doubleQuant": "yes"}""")]
    public void Schema_OfWhatIsRefused_DoesNotFit(string recipe) => Assert.NotEmpty(ReportSchema.Problems(recipe, Schema));

    private string Printed(params IReadOnlyList<string> options) => ToolRun.Succeed(["quantize", _folder["source"], "--print-config", .. options]).Out;

    private static void AssertFits(string recipe)
    {
        JsonNode root = JsonNode.Parse(recipe, documentOptions: Lenient)!;
        Assert.Equal(Recipe.SchemaId, root["$schema"]!.GetValue<string>());
        Assert.Empty(ReportSchema.Problems(root.ToJsonString(), Schema));
    }
}
