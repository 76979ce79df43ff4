using System.Text.Json;
using Bnb.Quant.Backends;
using Bnb.Quant.Gpu;
using Xunit;

namespace Bnb.Tool.Tests.Devices;

public sealed class DevicesCommandTests
{
    [Fact]
    public void Devices_Table_ListsTheCpuAndSaysWhatAutoTakes()
    {
        ToolRun run = ToolRun.Succeed("devices");

        Assert.Contains("kernel paths", run.Out, StringComparison.Ordinal);
        Assert.Contains("auto takes", run.Out, StringComparison.Ordinal);
        Assert.All(GpuDevices.Find(), device => Assert.Contains(device.Id, run.Out, StringComparison.Ordinal));
    }

    [Fact]
    public void Devices_Json_HasPathsDevicesAndTheReason()
    {
        ToolRun run = ToolRun.Succeed("devices", "--json");

        JsonElement line = JsonDocument.Parse(run.Out.Split('\n')[0]).RootElement;
        Assert.Equal("devices", line.GetProperty("type").GetString());
        Assert.Equal(KernelPaths.Available.Count, line.GetProperty("kernel_paths").GetArrayLength());
        Assert.Equal(GpuDevices.Find().Count, line.GetProperty("devices").GetArrayLength());
        Assert.True(line.GetProperty("gpu_backend").GetBoolean());
        Assert.Equal(JsonValueKind.Null, line.GetProperty("gpu_backend_missing").ValueKind);
        Assert.NotEqual("", line.GetProperty("auto_reason").GetString());
    }
}
