using System.Globalization;
using System.Text;
using Bnb.Engine.Sampling;

namespace Bnb.Benchmarks;

/// <summary>
/// <c>quantize</c> and <c>dequantize</c> end to end beside <c>cp -r</c> and <c>sync</c> of the same source, in turn, warm cache,
/// as processes. All leave their result on the disk and not in the cache: the tool calls fsync, cp is followed by sync.
/// </summary>
internal static class PipelineBenchmark
{
    private const int Hidden = 2048;
    private const int Vocabulary = 16000;
    private const double BytesPerLayer = 90e6;

    private static readonly (string Name, string[] Options)[] Types =
    [
        ("nf4", ["--type", "nf4"]),
        ("fp4", ["--type", "fp4"]),
        ("int8", ["--type", "int8"]),
        ("int4", ["--type", "int4"]),
        ("int4 asymmetric", ["--type", "int4", "--symmetric", "false"]),
    ];

    public static int Run(string[] arguments)
    {
        string tool = Option(arguments, "--tool") ?? throw new ArgumentException("--tool PATH names the published dotnet-bnb");
        int rounds = int.Parse(Option(arguments, "--rounds") ?? "5", CultureInfo.InvariantCulture);
        double[] sizes = [.. (Option(arguments, "--gigabytes") ?? "0.5,1.8,2,8").Split(',').Select(size => double.Parse(size, CultureInfo.InvariantCulture))];

        var text = new StringBuilder(Machine.Header("quantize and dequantize end to end"));
        text.AppendLine(CultureInfo.InvariantCulture, $"bf16 source in two shards, each type with its default options (nf4 and fp4: block 64, double quantization; int4: groups of 128), warm cache. A round is `cp -r` + `sync` of the source folder, then `quantize` and `dequantize` for each type; {rounds} rounds, medians. Ratios are taken round by round.");
        text.AppendLine();
        text.AppendLine("`verify` (all layers, 32 tokens) ran once for each.");
        text.AppendLine();
        text.AppendLine("| source | type | quantize | rate | peak memory | time / cp (min..max) | dequantize | time / cp (min..max) | verify | peak memory |");
        text.AppendLine("|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (double gigabytes in sizes)
        {
            foreach (string row in Measure(tool, gigabytes, rounds)) text.AppendLine(row);
        }

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

    private static IEnumerable<string> Measure(string tool, double gigabytes, int rounds)
    {
        using var folder = new TempFolder();
        SampleCheckpoint sample = SampleOf(gigabytes);
        sample.Write(folder["source"]);
        TimedProcess.Run("sync");

        var copies = new List<TimedProcess>();
        var runs = Types.ToDictionary(type => type.Name, _ => (Quantize: new List<TimedProcess>(), Dequantize: new List<TimedProcess>()));
        var verified = new Dictionary<string, TimedProcess>();
        for (int round = 0; round <= rounds; round++)
        {
            TimedProcess copy = TimedProcess.Run("sh", "-c", $"cp -r '{folder["source"]}' '{folder["copy"]}' && sync");
            Remove(folder["copy"]);
            // The first round warms the cache.
            if (round > 0) copies.Add(copy);
            foreach ((string name, string[] options) in Types)
            {
                TimedProcess quantize = TimedProcess.Run(tool, ["quantize", folder["source"], "--output", folder["out"], .. options]);
                TimedProcess.Run("sync");
                TimedProcess dequantize = TimedProcess.Run(tool, "dequantize", folder["out"], "--output", folder["back"]);
                Remove(folder["back"]);
                if (round == 0) verified[name] = TimedProcess.Run(tool, "verify", folder["out"], "--source", folder["source"]);
                Remove(folder["out"]);
                if (round == 0) continue;
                runs[name].Quantize.Add(quantize);
                runs[name].Dequantize.Add(dequantize);
            }
        }

        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"| {sample.ByteCount / 1e9:F2} GB | `cp -r` + `sync` | {Seconds(copies):F2} s | {sample.ByteCount / 1e9 / Seconds(copies):F2} GB/s | | | | | | |");
        foreach ((string name, _) in Types)
        {
            (List<TimedProcess> quantize, List<TimedProcess> dequantize) = runs[name];
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"| {sample.ByteCount / 1e9:F2} GB | {name} | {Seconds(quantize):F2} s | {sample.ByteCount / 1e9 / Seconds(quantize):F2} GB/s | {quantize.Max(run => run.PeakBytes) / 1e6:F0} MB | {Ratio(quantize, copies)} | {Seconds(dequantize):F2} s | {Ratio(dequantize, copies)} | {verified[name].Seconds:F1} s | {verified[name].PeakBytes / 1e6:F0} MB |");
        }
    }

    private static void Remove(string folder)
    {
        Directory.Delete(folder, recursive: true);
        TimedProcess.Run("sync");
    }

    private static double Seconds(IEnumerable<TimedProcess> runs) => Median(runs.Select(run => run.Seconds));

    private static string Ratio(IEnumerable<TimedProcess> ours, IEnumerable<TimedProcess> copies)
    {
        double[] ratios = [.. ours.Zip(copies, (our, copy) => our.Seconds / copy.Seconds).Order()];
        return string.Create(CultureInfo.InvariantCulture, $"{ratios[ratios.Length / 2]:F2} ({ratios[0]:F2}..{ratios[^1]:F2})");
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
