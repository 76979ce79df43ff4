using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Bnb.Cli.Commands;
using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;
using Bnb.Engine.Sampling;

namespace Bnb.Benchmarks;

/// <summary>A whole checkpoint through the tool, in this process, once on the CPU and once on a device, and whether all
/// files that come out are the same.</summary>
internal static class GpuCheckpoint
{
    /// <summary>Name and step; a difference is thrown.</summary>
    public static IReadOnlyList<(string Name, Func<GpuDevice, string> Run)> Steps { get; } =
    [
        .. new (string Name, string[] Options)[]
        {
            ("nf4", ["--type", "nf4"]), ("fp4", ["--type", "fp4"]), ("nf4 without double quantization", ["--type", "nf4", "--double-quant", "false"]),
            ("int8", ["--type", "int8"]), ("fp8", ["--type", "fp8"]),
            ("int4", ["--type", "int4", "--group-size", "32"]),
            ("nf4, searched scales", ["--type", "nf4", "--scale", "search"]),
            ("fp4 without double quantization, searched scales", ["--type", "fp4", "--double-quant", "false", "--scale", "search"]),
            ("int8, searched scales", ["--type", "int8", "--scale", "search"]),
            ("int4, searched scales", ["--type", "int4", "--group-size", "32", "--scale", "search"]),
            ("int4 asymmetric", ["--type", "int4", "--group-size", "32", "--symmetric", "false"]),
        }
        .Select(row => (row.Name, (Func<GpuDevice, string>)(device => Compare(device, row.Options)))),
    ];

    /// <summary>Quantizes a checkpoint with the CPU and with the device, back from the CPU's result with both, and verifies it on
    /// the device.</summary>
    /// <returns>Seconds of each, with opening the device and compiling kernels.</returns>
    private static string Compare(GpuDevice device, string[] options)
    {
        SampleCheckpoint sample = device switch
        {
            { IsSimulator: true } => new SampleCheckpoint(1, 64, 64),
            { Kind: "cuda" } => new SampleCheckpoint(2, 2048, 16000),
            // OpenCL may be a CPU.
            _ => new SampleCheckpoint(1, 256, 512),
        };
        using var folder = new TempFolder();
        string source = folder["source"];
        sample.Write(source);
        double cpu = Run("quantize", source, "--output", folder["cpu"], "--device", "cpu", options);
        double gpu = Run("quantize", source, "--output", folder["gpu"], "--device", device.Id, options);
        Same(folder["cpu"], folder["gpu"]);
        double back = Run("dequantize", folder["cpu"], "--output", folder["cpu-back"], "--device", "cpu", []);
        double gpuBack = Run("dequantize", folder["cpu"], "--output", folder["gpu-back"], "--device", device.Id, []);
        Same(folder["cpu-back"], folder["gpu-back"]);
        double verify = Run("verify", folder["gpu"], "--source", source, "--device", device.Id, []);
        return string.Create(CultureInfo.InvariantCulture,
            $"{sample.ByteCount / 1e6:0.#} MB: quantize {cpu:0.00} s on the CPU, {gpu:0.00} s on the device; dequantize {back:0.00} s, {gpuBack:0.00} s; verify {verify:0.00} s");
    }

    private static void Same(string cpu, string gpu)
    {
        Dictionary<string, string> wanted = Hashes(cpu), found = Hashes(gpu);
        string[] different = [.. wanted.Keys.Union(found.Keys)
            .Where(name => wanted.GetValueOrDefault(name) != found.GetValueOrDefault(name)).Order(StringComparer.Ordinal)];
        if (different.Length > 0) throw new InvalidOperationException($"files that differ: {string.Join(", ", different)}");
    }

    private static double Run(string command, string path, string option, string value, string device, string id, string[] options)
    {
        double seconds = Run([command, path, option, value, device, id, .. options], out string? failure);
        return failure is null ? seconds : throw new InvalidOperationException($"{command}: {failure}");
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

    // What the tool says matters only when it fails.
    private sealed class Kept : ITerminal
    {
        public TextWriter Out { get; } = new StringWriter(CultureInfo.InvariantCulture);

        public TextWriter Error { get; } = new StringWriter(CultureInfo.InvariantCulture);

        public bool OutIsInteractive => false;

        public bool ErrorIsInteractive => false;

        public bool Reflows => false;

        public bool Color => false;

        public bool Plain => false;

        public int Width => 160;

        public int ErrorWidth => ITerminal.Unlimited;
    }
}
