using System.Globalization;
using System.Text;

namespace Bnb.Benchmarks;

/// <summary>
/// What <c>quantize</c> costs per tensor: checkpoints of many small tensors beside one of the same bytes in few large ones, as
/// processes, in turn. Processor time is said beside wall time, because it depends less on what else the machine does.
/// </summary>
internal static class TensorCost
{
    private const int Rounds = 3;

    /// <summary>Leaves a source of about so many tensors in a folder, for measuring by hand.</summary>
    public static int WriteSample(string folder, string tensors)
    {
        ExpertCheckpoint.Of(int.Parse(tensors, CultureInfo.InvariantCulture)).Write(folder);
        return 0;
    }

    public static int Run(string[] arguments)
    {
        if (arguments is not ["--tool", var tool, .. var counts])
        {
            Console.Error.WriteLine("usage: tensors --tool PATH [COUNT...]");
            return 2;
        }

        var text = new StringBuilder(Machine.Header("Cost per tensor"));
        text.AppendLine(CultureInfo.InvariantCulture, $"`quantize` (nf4, default options) of sources named as DeepSeek-V3 names its tensors, bf16, 64 x 64 values each, beside `quantize` of a source of the same bytes in few large tensors. Medians of {Rounds} rounds, the two in turn. CPU: processor time of all threads, user and system. The difference of the two, over the number of tensors, is what a tensor costs besides its bytes.");
        text.AppendLine();
        text.AppendLine("| tensors | bytes | time | CPU | peak memory | few large: time | CPU | peak memory | CPU per tensor | memory per tensor |");
        text.AppendLine("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (int count in counts.Length == 0 ? [44_544, 100_000] : counts.Select(count => int.Parse(count, CultureInfo.InvariantCulture)))
            text.AppendLine(Measure(tool, ExpertCheckpoint.Of(count)));
        Machine.Save("tensors.md", text.ToString());
        return 0;
    }

    private static string Measure(string tool, ExpertCheckpoint sample)
    {
        using var folder = new TempFolder();
        long bytes = sample.Write(folder["many"]);
        PipelineBenchmark.WriteSample(folder["few"], (bytes / 1e9).ToString(CultureInfo.InvariantCulture));
        int tensors = sample.Names().Count();
        List<TimedProcess> many = [], few = [];
        for (int round = 0; round <= Rounds; round++)
        {
            TimedProcess one = Quantize("many"), other = Quantize("few");
            // The first round warms the cache.
            if (round == 0) continue;
            many.Add(one);
            few.Add(other);
        }

        (double Time, double Cpu, long Peak) a = Medians(many), b = Medians(few);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"| {tensors:N0} | {bytes / 1e6:F0} MB | {a.Time:F2} s | {a.Cpu:F2} s | {a.Peak / 1e6:F0} MB | {b.Time:F2} s | {b.Cpu:F2} s | {b.Peak / 1e6:F0} MB | {(a.Cpu - b.Cpu) / tensors * 1e6:F1} µs | {(a.Peak - b.Peak) / (double)tensors:F0} bytes |");

        TimedProcess Quantize(string source)
        {
            TimedProcess run = TimedProcess.Run(tool, "quantize", folder[source], "--output", folder["out"]);
            Directory.Delete(folder["out"], recursive: true);
            return run;
        }
    }

    private static (double Time, double Cpu, long Peak) Medians(List<TimedProcess> runs) =>
        (Median(runs, run => run.Seconds), Median(runs, run => run.CpuSeconds), (long)Median(runs, run => run.PeakBytes));

    private static double Median(List<TimedProcess> runs, Func<TimedProcess, double> value) => runs.Select(value).Order().ElementAt(runs.Count / 2);
}
