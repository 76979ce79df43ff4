using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Devices;

/// <summary><c>--device</c> through the whole tool: the bytes are those of the CPU, and nothing falls back quietly.</summary>
public sealed class DeviceRunTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<string> Kinds => DeviceModel.Kinds;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void QuantizeAndBack_OnADevice_GiveTheBytesOfTheCpu(string kind)
    {
        DeviceModel.RequireDevice(kind);
        string source = DeviceModel.Write(_folder["model"]);
        foreach (string type in (string[])["nf4", "fp4", "int8", "int4"])
        {
            // Only int4 has columns that must be whole groups.
            string[] options = type == "int4" ? ["--group-size", "32", "--exclude", "*v_proj*"] : [];
            ToolRun.Succeed(["quantize", source, "--output", _folder[$"cpu-{type}"], "--type", type, "--non-finite", "keep", .. options]);
            ToolRun run = ToolRun.Succeed(
                ["quantize", source, "--output", _folder[$"gpu-{type}"], "--type", type, "--non-finite", "keep", "--device", kind, "--max-device-memory", "64MiB", .. options]);
            ToolRun.Succeed("dequantize", _folder[$"cpu-{type}"], "--output", _folder[$"cpu-back-{type}"]);
            ToolRun.Succeed("dequantize", _folder[$"cpu-{type}"], "--output", _folder[$"gpu-back-{type}"], "--device", kind);

            Assert.Contains($"{kind}:0", run.Out, StringComparison.Ordinal);
            Assert.Equal(OutputFolder.Fingerprint(_folder[$"cpu-{type}"]), OutputFolder.Fingerprint(_folder[$"gpu-{type}"]));
            Assert.Equal(OutputFolder.Fingerprint(_folder[$"cpu-back-{type}"]), OutputFolder.Fingerprint(_folder[$"gpu-back-{type}"]));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Quantize_GoldenCheckpointOnADevice_GivesTheFilesOfTheCpu(string kind)
    {
        DeviceModel.RequireDevice(kind);
        string source = _folder["golden"];
        Directory.CreateDirectory(source);
        File.Copy(Golden.File("torch", "llama_sharded", "config.json"), Path.Combine(source, "config.json"));
        File.Copy(Golden.File("torch", "llama_sharded", "expected", "model.safetensors"), Path.Combine(source, "model.safetensors"));
        foreach ((string type, string[] options) in ((string, string[])[])
            [("nf4", []), ("fp4", []), ("int8", []), ("fp8", []), ("int4", ["--group-size", "32", "--exclude", "*down_proj*"]),
            ("int4", ["--group-size", "32", "--symmetric", "false", "--exclude", "*down_proj*"])])
        {
            string cpu = _folder[$"cpu-{type}-{options.Length}"], device = _folder[$"device-{type}-{options.Length}"];
            ToolRun.Succeed(["quantize", source, "--output", cpu, "--type", type, .. options]);
            ToolRun run = ToolRun.Succeed(["quantize", source, "--output", device, "--type", type, "--device", kind, .. options]);

            Assert.DoesNotContain("has no GPU kernel", run.Error, StringComparison.Ordinal);
            Assert.Equal(OutputFolder.Fingerprint(cpu), OutputFolder.Fingerprint(device));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Quantize_SearchedScalesOnADevice_GivesTheFilesOfTheCpu(string kind)
    {
        DeviceModel.RequireDevice(kind);
        string source = CheckpointBuilder.SingleFile(
            _folder["model"],
            [
                NormalWeights.Of("model.layers.0.self_attn.q_proj.weight", "BF16", 1, 16, 64),
                NormalWeights.Of("model.layers.0.self_attn.k_proj.weight", "F16", 2, 9, 64),
                NormalWeights.Of("model.layers.0.self_attn.o_proj.weight", "F32", 3, 24, 64),
                TestTensor.Floats("model.norm.weight", "BF16", 64),
            ]);
        foreach ((string type, string[] options) in ((string, string[])[])
            [("nf4", []), ("fp4", ["--double-quant", "false"]), ("int8", []), ("int4", ["--group-size", "32"])])
        {
            string cpu = _folder[$"cpu-{type}"], device = _folder[$"device-{type}"];
            ToolRun.Succeed(["quantize", source, "--output", cpu, "--type", type, "--scale", "search", .. options]);
            ToolRun run = ToolRun.Succeed(["quantize", source, "--output", device, "--type", type, "--scale", "search", "--device", kind, .. options]);

            Assert.Contains($"{kind}:0", run.Out, StringComparison.Ordinal);
            Assert.DoesNotContain("the CPU does it", run.Error, StringComparison.Ordinal);
            Assert.Equal(OutputFolder.Fingerprint(cpu), OutputFolder.Fingerprint(device));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Verify_OnADevice_MultipliesThereWithinTheBound(string kind)
    {
        DeviceModel.RequireDevice(kind);
        string source = DeviceModel.Write(_folder["model"]);
        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--exclude", "*q_proj*", "--exclude", "*k_proj*");

        ToolRun run = ToolRun.Succeed("verify", _folder["out"], "--source", source, "--tokens", "3", "--device", kind, "--json");

        Assert.Contains($"\"kernel_path\":\"{kind}:0\"", run.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cuda:97")]
    [InlineData("opencl:97")]
    public void Quantize_ADeviceThatIsNotThere_IsAnErrorAndNothingIsWritten(string device)
    {
        string source = DeviceModel.Write(_folder["model"]);

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"], "--device", device);

        Assert.Equal(ExitCode.DeviceFailed, run.Exit);
        Assert.StartsWith($"error[DEVICE]: --device {device}: ", run.Error, StringComparison.Ordinal);
        Assert.Contains("there is no such device", run.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["out"]));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Verify_Integers_MultipliesThemOnTheDevice(string kind)
    {
        DeviceModel.RequireDevice(kind);
        string source = DeviceModel.Write(_folder["model"]);
        foreach (string type in (string[])["int8", "int4"])
        {
            string[] options = type == "int4" ? ["--group-size", "32"] : [];
            string output = _folder[type];
            ToolRun.Succeed(["quantize", source, "--output", output, "--type", type, "--exclude", "*.q_proj*", "--exclude", "*.k_proj*", "--exclude", "*.v_proj*", .. options]);

            ToolRun run = ToolRun.Succeed("verify", output, "--source", source, "--tokens", "3", "--device", kind, "--json");

            Assert.Contains($"\"kernel_path\":\"{kind}:0\"", run.Out, StringComparison.Ordinal);
            Assert.DoesNotContain("has no GPU kernel", run.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Verify_Fp8_MultipliesCodesOnTheDevice(string kind)
    {
        DeviceModel.RequireDevice(kind);
        string source = DeviceModel.Write(_folder["model"]), output = _folder["fp8"];
        ToolRun.Succeed("quantize", source, "--output", output, "--type", "fp8", "--exclude", "*.q_proj*", "--exclude", "*.k_proj*");
        foreach (string type in (string[])["bfloat16", "float16"])
        {
            // The second rounds decoded weights again, which products of codes do not.
            ToolRun run = ToolRun.Succeed(
                "verify", output, "--source", source, "--tokens", "3", "--device", kind, "--compute-dtype", type, "--json");

            Assert.Contains($"\"kernel_path\":\"{kind}:0\"", run.Out, StringComparison.Ordinal);
            Assert.DoesNotContain("the CPU does it", run.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Quantize_Auto_TakesTheCpuForASmallModelAndSaysWhy()
    {
        string source = DeviceModel.Write(_folder["model"]);

        ToolRun run = ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--device", "auto", "--non-finite", "keep");

        Assert.Contains("cpu: ", run.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cuda", "1MiB", "is too small; give at least 16MiB")]
    [InlineData("cpu", "64MiB", "is an option of GPUs; the device here is cpu")]
    [InlineData(null, "64MiB", "is an option of GPUs; the device here is cpu")]
    public void Quantize_DeviceMemoryThatMeansNothing_IsAUsageError(string? device, string memory, string message)
    {
        string source = DeviceModel.Write(_folder["model"]);

        ToolRun run = ToolRun.Of(
            ["quantize", source, "--output", _folder["out"], "--max-device-memory", memory, .. device is null ? Array.Empty<string>() : ["--device", device]]);

        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_Auto_SaysWhatItTookAndWhy()
    {
        string source = DeviceModel.Write(_folder["model"]);
        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--non-finite", "keep", "--exclude", "*q_proj*", "--exclude", "*k_proj*");

        ToolRun table = ToolRun.Succeed("verify", _folder["out"], "--source", source, "--device", "auto");
        ToolRun json = ToolRun.Succeed("verify", _folder["out"], "--source", source, "--device", "auto", "--json");

        Assert.Matches(@"\ndevice +cpu: ", table.Out);
        Assert.Contains("\"device_note\":\"cpu: ", json.Out, StringComparison.Ordinal);
    }
}
