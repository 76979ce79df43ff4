using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Bnb.Cli.Commands;
using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;
using Bnb.Engine.Sampling;
using Bnb.Quant.Gpu.Devices;
using Bnb.TestKit;

namespace Bnb.Benchmarks;

/// <summary>A whole checkpoint through the tool, in this process, once on the CPU and once on a device, and whether all
/// files that come out are the same.</summary>
internal static class GpuCheckpoint
{
    private static readonly string[] Types = ["nf4", "fp4", "int8"];

    /// <summary>Appends the section of the report.</summary>
    /// <returns>Whether no file differs.</returns>
    public static bool Compare(GpuDevice device, StringBuilder text)
    {
        SampleCheckpoint sample = device switch
        {
            { IsSimulator: true } => new SampleCheckpoint(1, 64, 64),
            { Kind: "cuda" } => new SampleCheckpoint(4, 2048, 16000),
            // OpenCL may be a CPU.
            _ => new SampleCheckpoint(2, 512, 1000),
        };
        using var folder = new TempFolder();
        sample.Write(folder["source"]);
        text.AppendLine();
        Line(text, $"Files of a checkpoint of {sample.ByteCount / 1e6:0.#} MB in bf16, made by the tool with `--device cpu` and with `--device {device.Id}`; one run each, seconds with opening the device and compiling kernels. `dequantize` reads what the CPU made.");
        text.AppendLine();
        text.AppendLine("| command | type | files | bytes | CPU s | GPU s | files that differ |");
        text.AppendLine("|---|---|---:|---:|---:|---:|---|");
        bool same = true;
        foreach (string type in Types)
        {
            same &= Row(text, folder, device, "quantize", type, folder["source"], "--type", type);
            // Back from the CPU's result, which the row before left.
            same &= Row(text, folder, device, "dequantize", type, folder[$"quantize-{type}-cpu"]);
            foreach (string used in Directory.GetDirectories(folder["."], $"*-{type}-*")) Directory.Delete(used, recursive: true);
        }

        text.AppendLine();
        return same;
    }

    private static bool Row(
        StringBuilder text, TempFolder folder, GpuDevice device, string command, string type, string source, params string[] options)
    {
        string cpu = folder[$"{command}-{type}-cpu"], gpu = folder[$"{command}-{type}-gpu"];
        double cpuSeconds = Run([command, source, "--output", cpu, "--device", "cpu", .. options], out string? failure);
        double gpuSeconds = 0;
        if (failure is null) gpuSeconds = Run([command, source, "--output", gpu, "--device", device.Id, .. options], out failure);
        if (failure is not null)
        {
            // A row and no exception, because what was measured before is still worth saving.
            Line(text, $"| {command} | {type} | | | | | FAILED: {failure} |");
            return false;
        }

        Dictionary<string, string> wanted = Hashes(cpu), found = Hashes(gpu);
        string[] different = [.. wanted.Keys.Union(found.Keys)
            .Where(name => wanted.GetValueOrDefault(name) != found.GetValueOrDefault(name)).Order(StringComparer.Ordinal)];
        long bytes = wanted.Keys.Sum(name => new FileInfo(Path.Combine(cpu, name)).Length);
        Line(text, $"| {command} | {type} | {wanted.Count} | {bytes} | {cpuSeconds:0.00} | {gpuSeconds:0.00} | {(different.Length == 0 ? "none" : "DIFFERENT: " + string.Join(", ", different))} |");
        return different.Length == 0;
    }

    private static double Run(string[] arguments, out string? failure)
    {
        var terminal = new Kept();
        using var signals = new SignalCancellation(listen: false);
        long start = Stopwatch.GetTimestamp();
        ExitCode exit = Application.Run(arguments, terminal, signals);
        failure = exit == ExitCode.Done ? null : $"{exit}, {terminal.Error}".ReplaceLineEndings(" ");
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static Dictionary<string, string> Hashes(string folder) => Directory
        .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .ToDictionary(path => Path.GetRelativePath(folder, path), Hash, StringComparer.Ordinal);

    private static string Hash(string path)
    {
        using FileStream file = File.OpenRead(path);
        return Convert.ToHexString(SHA256.HashData(file));
    }

    private static void Line(StringBuilder text, FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));

    // What the tool says matters only when it fails.
    private sealed class Kept : ITerminal
    {
        public TextWriter Out { get; } = new StringWriter(CultureInfo.InvariantCulture);

        public TextWriter Error { get; } = new StringWriter(CultureInfo.InvariantCulture);

        public bool OutIsInteractive => false;

        public bool ErrorIsInteractive => false;

        public bool Color => false;

        public bool Plain => false;

        public int Width => 160;

        public int ErrorWidth => ITerminal.Unlimited;
    }
}
