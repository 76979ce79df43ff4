using Bnb.Engine.Devices;
using Bnb.Engine.Errors;
using Xunit;

namespace Bnb.Tool.Tests.Devices;

public sealed class DeviceChoiceTests
{
    [Theory]
    [InlineData("auto", "auto", null)]
    [InlineData("cpu", "cpu", null)]
    [InlineData("cuda", "cuda", null)]
    [InlineData("cuda:0", "cuda", 0)]
    [InlineData("opencl:12", "opencl", 12)]
    public void Parse_Word_IsTheChoice(string word, string kind, int? index)
    {
        DeviceChoice? choice = DeviceChoice.Parse(word);

        Assert.Equal(new DeviceChoice(kind, index), choice);
        Assert.Equal(word, choice!.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("gpu")]
    [InlineData("cpu:0")]
    [InlineData("auto:0")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:0:1")]
    [InlineData("cuda:99999999999")]
    [InlineData("CUDA")]
    public void Option_OtherWord_IsAUsageErrorThatListsWhatThereIs(string word)
    {
        ToolRun run = ToolRun.Of("quantize", "model", "--output", "out", "--device", word);

        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains("it takes auto, cpu, cuda, cuda:N, opencl, opencl:N", run.Error, StringComparison.Ordinal);
    }
}
