using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using Bnb.Gpu.Tests;

namespace Bnb.Benchmarks;

/// <summary>
/// Everything that a machine with a GPU can say, in one run of a few minutes: whether all kernels and whole files equal the
/// CPU's, what faults do, and how fast it is. Every step that ends is written down at once, so that a run which is cut off goes
/// on where it stopped when it is started again with the same folder. Writes <c>gpu.md</c> and <c>gpu.json</c> there.
/// </summary>
internal sealed class GpuRun
{
    /// <summary>The exit code of the tool's own for a device that is not there.</summary>
    private const int NoDevice = 16;

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(7.5);
    private static readonly JsonSerializerOptions Lines = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly string _folder;
    private readonly GpuDevice _device;
    private readonly Dictionary<string, Step> _done = [];
    private readonly long _start = Stopwatch.GetTimestamp();

    private GpuRun(string folder, GpuDevice device)
    {
        _folder = folder;
        _device = device;
        Directory.CreateDirectory(folder);
        if (!File.Exists(Journal)) return;
        foreach (string line in File.ReadLines(Journal))
        {
            // A line that was cut off is a step to do again.
            if (line.EndsWith('}') && JsonSerializer.Deserialize<Step>(line, Lines) is { } step) _done[step.Name] = step;
        }
    }

    private string Journal => Path.Combine(_folder, "steps.jsonl");

    /// <summary>Runs what is left and prints <c>N passed, N failed</c>.</summary>
    /// <param name="arguments">The folder, and a device; else the first CUDA device.</param>
    /// <returns>0 when all passed, 1 when not, 2 for wrong arguments, 16 without a device.</returns>
    public static int Run(string[] arguments)
    {
        IReadOnlyList<GpuDevice> devices = GpuDevices.Find(includeSimulator: true);
        GpuDevice? device = arguments is [_, var id, ..]
            ? devices.FirstOrDefault(candidate => candidate.Id == id)
            : devices.FirstOrDefault(candidate => candidate is { Kind: "cuda", Unusable: null });
        if (arguments.Length == 0)
        {
            Console.Error.WriteLine("usage: gpu-run OUT [DEVICE]");
            return 2;
        }

        if (device is not { Unusable: null })
        {
            Console.Error.WriteLine(arguments.Length > 1
                ? $"no usable device {arguments[1]}"
                : "no usable CUDA device; name another one to run what it can");
            foreach (GpuDevice each in devices) Console.Error.WriteLine($"found: {each.Id} ({each.Name}){(each.Unusable is { } why ? ": " + why : "")}");
            return NoDevice;
        }

        return new GpuRun(arguments[0], device).Run();
    }

    private int Run()
    {
        foreach (string check in DeviceChecks.Names)
        {
            Do("check " + check, () =>
            {
                using GpuSession session = GpuDevices.Open(_device, 256 << 20);
                DeviceChecks.Run(check, session);
                return "";
            });
        }

        foreach ((string name, Func<GpuDevice, string> step) in GpuCheckpoint.Steps) Do("files " + name, () => step(_device));
        foreach ((string name, Func<GpuDevice, string> step) in GpuFaults.Steps) Do("fault " + name, () => step(_device));
        foreach ((string name, Func<GpuDevice, string> step) in GpuReport.Steps) Do("speed " + name, () => step(_device));
        int failed = _done.Values.Count(step => !step.Passed), passed = _done.Count - failed;
        Write(passed, failed);
        Console.WriteLine($"{passed} passed, {failed} failed");
        return failed == 0 ? 0 : 1;
    }

    /// <summary>Runs a step unless it passed before. What it throws is its result: the others go on.</summary>
    private void Do(string name, Func<string> work)
    {
        if (_done.TryGetValue(name, out Step? before) && before.Passed) return;
        if (Stopwatch.GetElapsedTime(_start) > Limit)
        {
            _done[name] = new Step(name, Passed: false, 0, "not run: the time was up; start again to go on");
            return;
        }

        long start = Stopwatch.GetTimestamp();
        string text;
        bool passed = true;
        try
        {
            text = work();
        }
        catch (Exception error)
        {
            Exception cause = error is TargetInvocationException { InnerException: { } inner } ? inner : error;
            (text, passed) = ($"{cause.GetType().Name}: {cause.Message}", false);
        }

        var step = new Step(name, passed, Stopwatch.GetElapsedTime(start).TotalSeconds, text);
        _done[name] = step;
        File.AppendAllText(Journal, JsonSerializer.Serialize(step, Lines) + "\n");
        Console.WriteLine($"{(passed ? "ok  " : "FAIL")} {step.Seconds.ToString("0.0", CultureInfo.InvariantCulture)} s  {name}{(passed ? "" : ": " + text)}");
    }

    private void Write(int passed, int failed)
    {
        var text = new StringBuilder(Machine.Header("One run on a GPU"));
        text.AppendLine(CultureInfo.InvariantCulture, $"- device: {_device.Name}, {_device.MemoryBytes / (1L << 30)} GiB, {_device.Driver}");
        text.AppendLine(CultureInfo.InvariantCulture, $"- {passed} passed, {failed} failed");
        text.AppendLine().AppendLine("| step | | s |").AppendLine("| --- | --- | ---: |");
        foreach (Step step in _done.Values.Where(step => !step.Name.StartsWith("speed", StringComparison.Ordinal)))
        {
            string result = step.Passed ? "ok" : "FAILED: " + step.Text.ReplaceLineEndings(" ").Replace('|', '/');
            text.AppendLine(CultureInfo.InvariantCulture, $"| {step.Name} | {result} | {step.Seconds:0.0} |");
        }

        foreach (Step step in _done.Values.Where(step => step.Name.StartsWith("speed", StringComparison.Ordinal)))
        {
            text.AppendLine().AppendLine(step.Text);
        }

        File.WriteAllText(Path.Combine(_folder, "gpu.md"), text.ToString());
        File.WriteAllText(
            Path.Combine(_folder, "gpu.json"),
            JsonSerializer.Serialize(new { Device = _device, Passed = passed, Failed = failed, Steps = _done.Values }, Lines) + "\n");
    }

    private sealed record Step(string Name, bool Passed, double Seconds, string Text);
}
