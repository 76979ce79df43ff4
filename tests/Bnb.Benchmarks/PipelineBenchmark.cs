using System.Globalization;
using System.Text;
using Bnb.TestKit;
using Bnb.Tool.Sample;

namespace Bnb.Benchmarks;

/// <summary>
/// <c>quantize</c> end to end beside <c>cp -r</c> and <c>sync</c> of the same source, in turn, warm cache, as processes.
/// Both leave their result on the disk and not in the cache: the tool calls fsync, cp is followed by sync.
/// </summary>
internal static class PipelineBenchmark
{
    private const int Hidden = 2048;
    private const int Vocabulary = 16000;
    private const double BytesPerLayer = 90e6;

    public static int Run(string[] arguments)
    {
        string tool = Option(arguments, "--tool") ?? throw new ArgumentException("--tool PATH names the published dotnet-bnb");
        int rounds = int.Parse(Option(arguments, "--rounds") ?? "5", CultureInfo.InvariantCulture);
        double[] sizes = [.. (Option(arguments, "--gigabytes") ?? "0.5,1.8,2,8").Split(',').Select(size => double.Parse(size, CultureInfo.InvariantCulture))];

        var text = new StringBuilder(Machine.Header("quantize end to end"));
        text.AppendLine(CultureInfo.InvariantCulture, $"nf4, block 64, double quantization, bf16 source in two shards, warm cache; `cp -r` + `sync` of the same folder in turn with it, {rounds} rounds, medians. The ratio is taken round by round.");
        text.AppendLine();
        text.AppendLine("`verify` (all layers, 32 tokens) and `dequantize` ran once each on the last result.");
        text.AppendLine();
        text.AppendLine("| source | quantize | rate | peak memory | cp -r + sync | time / cp (min..max) | verify | peak memory | dequantize |");
        text.AppendLine("|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (double gigabytes in sizes) text.AppendLine(Measure(tool, gigabytes, rounds));
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"`dotnet-bnb --version`, the start-up alone: {StartUp(tool) * 1000:F0} ms (median of 11).");
        Machine.Save("pipeline.md", text.ToString());
        return 0;
    }

    /// <summary>Leaves a source of about that size in a folder, for measuring by hand.</summary>
    public static int WriteSample(string folder, string gigabytes)
    {
        SampleOf(double.Parse(gigabytes, CultureInfo.InvariantCulture)).Write(folder);
        return 0;
    }

    private static SampleCheckpoint SampleOf(double gigabytes) => new(
        Math.Max(2, (int)Math.Round(((gigabytes * 1e9) - (Vocabulary * Hidden * 4.0)) / BytesPerLayer)), Hidden, Vocabulary);

    private static string Measure(string tool, double gigabytes, int rounds)
    {
        using var folder = new TempFolder();
        SampleCheckpoint sample = SampleOf(gigabytes);
        sample.Write(folder["source"]);
        TimedProcess.Run("sync");

        var ours = new List<TimedProcess>();
        var copies = new List<TimedProcess>();
        for (int round = 0; round <= rounds; round++)
        {
            if (round > 0) Directory.Delete(folder["out"], recursive: true);
            TimedProcess.Run("sync");
            TimedProcess quantize = TimedProcess.Run(tool, "quantize", folder["source"], "--output", folder["out"]);
            TimedProcess.Run("sync");
            TimedProcess copy = TimedProcess.Run("sh", "-c", $"cp -r '{folder["source"]}' '{folder["copy"]}' && sync");
            Directory.Delete(folder["copy"], recursive: true);
            TimedProcess.Run("sync");
            // The first round warms the cache.
            if (round == 0) continue;
            ours.Add(quantize);
            copies.Add(copy);
        }

        TimedProcess verify = TimedProcess.Run(tool, "verify", folder["out"], "--source", folder["source"]);
        TimedProcess dequantize = TimedProcess.Run(tool, "dequantize", folder["out"], "--output", folder["back"]);
        double[] ratios = [.. ours.Zip(copies, (our, copy) => our.Seconds / copy.Seconds).Order()];
        double seconds = Median(ours.Select(run => run.Seconds));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"| {sample.ByteCount / 1e9:F2} GB | {seconds:F2} s | {sample.ByteCount / 1e9 / seconds:F2} GB/s | {ours.Max(run => run.PeakBytes) / 1e6:F0} MB | {Median(copies.Select(run => run.Seconds)):F2} s | {ratios[ratios.Length / 2]:F2} ({ratios[0]:F2}..{ratios[^1]:F2}) | {verify.Seconds:F1} s | {verify.PeakBytes / 1e6:F0} MB | {dequantize.Seconds:F2} s |");
    }

    private static double StartUp(string tool) => Median(Enumerable.Range(0, 11).Select(_ => TimedProcess.Run(tool, "--version").Seconds));

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    private static string? Option(string[] arguments, string name)
    {
        int index = Array.IndexOf(arguments, name);
        return index < 0 || index + 1 == arguments.Length ? null : arguments[index + 1];
    }
}
