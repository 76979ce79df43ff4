using System.Text.Json;
using Xunit;

namespace Bnb.Tool.Tests.Recipes;

/// <summary>A plan made by the tool, and the check that <c>quantize --config</c> makes what it says.</summary>
internal sealed record PlannedForms(JsonElement Plan, string RecipePath)
{
    /// <summary>Form by pattern, as the overrides spell both.</summary>
    public Dictionary<string, string> Forms => Plan.GetProperty("overrides").EnumerateArray().Select(rule => rule.GetString()!)
        .ToDictionary(rule => rule[..rule.LastIndexOf('=')], rule => rule[(rule.LastIndexOf('=') + 1)..]);

    /// <summary>Plans into a recipe file.</summary>
    public static PlannedForms Of(string source, string recipePath, params IReadOnlyList<string> options)
    {
        JsonElement plan = JsonResult.Of(ToolRun.Succeed(["plan", source, "--output", recipePath, "--json", .. options]));
        Assert.Equal("recipe", plan.GetProperty("type").GetString());
        return new PlannedForms(plan, recipePath);
    }

    /// <summary>Size and bits are those of the output, to the byte, and the output is what its source makes.</summary>
    public void AssertIsWhatQuantizeMakes(string source, string output, params IReadOnlyList<string> verifyOptions)
    {
        JsonElement made = JsonResult.Of(ToolRun.Succeed("quantize", source, "--output", output, "--config", RecipePath, "--json"));

        Assert.Equal(Plan.GetProperty("bytes").GetInt64(), OutputFolder.WeightFileBytes(output));
        Assert.Equal(Plan.GetProperty("bits_per_parameter").GetDouble(), made.GetProperty("bits_per_parameter").GetDouble(), 1e-4);
        Verify.Verification.Passing(output, source, [.. verifyOptions]);
    }
}
