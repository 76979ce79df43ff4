using System.CommandLine;
using System.Text.Json;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Devices;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;
using Bnb.Quant.Gpu;
using Bnb.Quant.Gpu.Devices;
using Spectre.Console;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb devices</c>: what can run the kernels, what <c>--device auto</c> would take, and why.</summary>
internal static class DevicesCommand
{
    public static Command Create(CommandHost host)
    {
        Option<int> threads = CommonOptions.Threads();
        var command = new Command("devices", "List the CPU paths and GPUs that can run the kernels") { threads };
        host.Attach(command, (parsed, context) => Execute(parsed.ValueOr(threads, Environment.ProcessorCount), context));
        return command;
    }

    private static void Execute(int threads, CommandContext context)
    {
        KernelPath selected = KernelChoice.Selected();
        IReadOnlyList<GpuDevice> gpus = GpuDevices.Find();
        // A run that is worth measuring for, so that the answer is about the device and not about the size.
        AutoDecision auto = DeviceSelector.Decide(new DeviceNeed(new DeviceChoice(DeviceChoice.Auto, null), null, DeviceSelector.SmallestWorkForGpu, threads), selected);
        auto.Session?.Dispose();
        if (context.Json) context.Terminal.Out.Write(Json(selected, gpus, auto));
        else Write(selected, gpus, auto, context);
    }

    private static void Write(KernelPath selected, IReadOnlyList<GpuDevice> gpus, AutoDecision auto, CommandContext context) =>
        TableConsole.Print(context.Terminal, console =>
        {
            Table table = TableConsole.NewTable(("device", false), ("name", false), ("memory", true), ("driver", false), ("", false));
            string paths = string.Join(", ", KernelPaths.Available.Select(Name));
            table.AddRow(new Text("cpu"), new Text($"{Environment.ProcessorCount} processors, kernel paths {paths}"), new Text(""), new Text(""), new Text($"uses {Name(selected)}"));
            foreach (GpuDevice gpu in gpus)
            {
                table.AddRow(
                    new Text(gpu.Id), new Text(DisplayText.Escape(gpu.Name)), new Text(ByteSize.Format(gpu.MemoryBytes)),
                    new Text(DisplayText.Escape(gpu.Driver)), new Text(gpu.Unusable is { } reason ? DisplayText.Escape(reason) : gpu.IsCpu ? "ready, but it is the CPU" : "ready"));
            }

            console.Write(TableFit.Of(console, table, "driver", "memory"));
            TableConsole.WriteFacts(console, ("auto takes", $"{auto.Device?.Id ?? "cpu"}: {DisplayText.Escape(auto.Reason)}"));
        });

    private static string Json(KernelPath selected, IReadOnlyList<GpuDevice> gpus, AutoDecision auto) => JsonLine.Of(json =>
    {
        json.WriteString("type", "devices");
        json.WriteStartArray("kernel_paths");
        foreach (KernelPath path in KernelPaths.Available) json.WriteStringValue(Name(path));
        json.WriteEndArray();
        json.WriteString("kernel_path", Name(selected));
        json.WriteNumber("processors", Environment.ProcessorCount);
        // Since the backend is always there, these two say the same everywhere; who reads them may go on doing so.
        json.WriteBoolean("gpu_backend", true);
        json.WriteNull("gpu_backend_missing");
        json.WriteStartArray("devices");
        foreach (GpuDevice gpu in gpus) WriteDevice(gpu, json);
        json.WriteEndArray();
        json.WriteString("auto", auto.Device?.Id ?? "cpu");
        json.WriteString("auto_reason", auto.Reason);
    });

    private static void WriteDevice(GpuDevice gpu, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id", gpu.Id);
        json.WriteString("name", gpu.Name);
        json.WriteNumber("memory_bytes", gpu.MemoryBytes);
        json.WriteString("driver", gpu.Driver);
        json.WriteBoolean("is_cpu", gpu.IsCpu);
        json.WriteString("unusable", gpu.Unusable);
        json.WriteEndObject();
    }

    private static string Name(KernelPath path) => path.ToString().ToLowerInvariant();
}
