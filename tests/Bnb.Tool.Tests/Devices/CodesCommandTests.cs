using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Quant.Codes;
using Xunit;

namespace Bnb.Tool.Tests.Devices;

public sealed class CodesCommandTests
{
    [Fact]
    public void Codes_Nf4AsJson_IsOneLineWithTheTableOfBitsandbytes()
    {
        ToolRun run = ToolRun.Succeed("codes", "--type", "nf4", "--json");

        JsonElement line = JsonDocument.Parse(run.Out.Split('\n')[0]).RootElement;
        Assert.Equal("codes", line.GetProperty("type").GetString());
        float[] table = [.. line.GetProperty("table").EnumerateArray().Select(value => value.GetSingle())];
        Assert.Equal(NormalFloat.Values(4), table);
        Assert.Equal(0.7229568362236023, line.GetProperty("table")[14].GetDouble());
        Assert.Equal(15, line.GetProperty("midpoints").GetArrayLength());
        Assert.Equal(0.0920, line.GetProperty("relative_rmse").GetDouble(), 0.0005);
    }

    [Theory]
    [InlineData("nf4", "3", 8)]
    [InlineData("nf4", "8", 256)]
    [InlineData("fp4", "4", 16)]
    public void Codes_OtherWidths_HaveAsManyValues(string type, string bits, int count)
    {
        ToolRun run = ToolRun.Succeed("codes", "--type", type, "--bits", bits, "--json");

        Assert.Equal(count, JsonDocument.Parse(run.Out.Split('\n')[0]).RootElement.GetProperty("table").GetArrayLength());
    }

    [Fact]
    public void Codes_Table_ShowsValuesMidpointsAndTheError()
    {
        ToolRun run = ToolRun.Succeed("codes");

        Assert.Contains("0.72295684", run.Out, StringComparison.Ordinal);
        Assert.Contains("0.8614784", run.Out, StringComparison.Ordinal);
        Assert.Contains("% of normal weights in blocks of 64", run.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fp4", "5")]
    [InlineData("nf4", "9")]
    [InlineData("int8", "8")]
    public void Codes_WhatThereIsNot_IsAUsageError(string type, string bits) =>
        Assert.Equal(ExitCode.Usage, ToolRun.Of("codes", "--type", type, "--bits", bits).Exit);
}
