using System.CommandLine;
using System.CommandLine.Parsing;
using Bnb.Engine.Devices;
using Bnb.Engine.Text;
using Bnb.Quant.Gpu;

namespace Bnb.Cli.Options;

/// <summary>The options of commands that can run on a GPU.</summary>
/// <param name="equality">What a device changes.</param>
internal sealed class DeviceOptions(string equality = "the bytes are the same")
{
    private static readonly string[] Kinds = ["auto", "cpu", "cuda", "opencl"];

    public Option<DeviceChoice> Choice { get; } = new("--device")
    {
        Description = "What runs the kernels: cpu, cuda or opencl (all of the kind), cuda:0 (one of them), or auto, which measures; " + equality + " (default: cpu)",
        HelpName = "DEVICE",
        CustomParser = Parse,
    };

    public Option<long> MaxMemory { get; } = new("--max-device-memory")
    {
        Description = "Ceiling for buffers on each GPU, at least 16MiB (default: 1GiB, or half of the GPU's memory)",
        HelpName = "SIZE",
        CustomParser = ParseMemory,
    };

    public long? MemoryLimit(ParseResult parsed) => parsed.GetResult(MaxMemory) is null ? null : parsed.GetValue(MaxMemory);

    /// <summary>Adds an error when the ceiling is given for a GPU that is not used.</summary>
    public void Validate(CommandResult result)
    {
        bool onCpu = result.GetResult(Choice) is not { Implicit: false, Tokens: [.., { Value: not DeviceChoice.CpuKind }] };
        if (onCpu && result.GetResult(MaxMemory) is { Implicit: false }) result.AddError("--max-device-memory is an option of GPUs; the device here is cpu");
    }

    private static long ParseMemory(ArgumentResult result)
    {
        long bytes = Options.Choice.Size(result);
        if (!result.Errors.Any() && bytes < GpuSession.SmallestMemory)
            result.AddError($"--max-device-memory {ByteSize.Format(bytes)} is too small; give at least 16MiB");
        return bytes;
    }

    private static DeviceChoice Parse(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (DeviceChoice.Parse(text) is { } choice) return choice;
        string? meant = Synonyms.Value(text, Kinds);
        result.AddError($"--device does not know '{text}'; it takes auto, cpu, cuda, cuda:N, opencl, opencl:N{(meant is null ? "" : $"; did you mean {meant}?")}");
        return DeviceChoice.Cpu;
    }
}
