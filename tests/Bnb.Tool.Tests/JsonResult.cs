using System.Text.Json;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>The lines of a <c>--json</c> run: each must be an object with a type, the last one of type exit.</summary>
internal static class JsonResult
{
    /// <summary>All lines, checked.</summary>
    public static IReadOnlyList<JsonElement> Lines(ToolRun run)
    {
        Assert.EndsWith("}\n", run.Out, StringComparison.Ordinal);
        List<JsonElement> lines = [.. run.Out.TrimEnd('\n').Split('\n').Select(line => JsonElement.Parse(line))];
        Assert.All(lines, line => Assert.Equal(JsonValueKind.String, line.GetProperty("type").ValueKind));
        Assert.Equal("exit", lines[^1].GetProperty("type").GetString());
        Assert.Equal((int)run.Exit, lines[^1].GetProperty("code").GetInt32());
        return lines;
    }

    /// <summary>The one result line before the exit line.</summary>
    public static JsonElement Of(ToolRun run)
    {
        IReadOnlyList<JsonElement> lines = Lines(run);
        Assert.Equal(2, lines.Count);
        return lines[0];
    }
}
