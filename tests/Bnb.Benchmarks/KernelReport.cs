using System.Globalization;
using System.Text;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Benchmarks;

/// <summary>Runs <see cref="QuantizeKernels"/> and writes one table with rates and ratios.</summary>
internal static class KernelReport
{
    public static int Run()
    {
        // In process: the child project that BenchmarkDotNet would generate does not see this repository's build rules.
        IConfig config = ManualConfig.CreateEmpty()
            .AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(2).WithIterationCount(5).WithIterationTime(Perfolizer.Horology.TimeInterval.FromMilliseconds(150)))
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddLogger(ConsoleLogger.Default);
        Summary summary = BenchmarkRunner.Run<QuantizeKernels>(config);

        var rows = summary.Reports
            .Where(report => report.ResultStatistics is not null)
            .Select(report => new Row(
                (int)report.BenchmarkCase.Parameters["Values"],
                (ElementType)report.BenchmarkCase.Parameters["Type"],
                (string)report.BenchmarkCase.Parameters["Case"],
                report.ResultStatistics!.Median))
            .ToList();
        var text = new StringBuilder(Machine.Header("Quantize kernels"));
        text.AppendLine("absmax + quantize + pack on one core, median of 5 runs: nf4, fp4 and dynamic8 at block size 64, int8 in rows of 4096, int4 in groups of 128. `copy` moves the same source bytes and is the ceiling.");
        text.AppendLine();
        text.AppendLine("The 8-bit types write one byte per value, twice as much as the 4-bit ones. dynamic8 takes float32: F16 and BF16 are widened first, which is counted.");
        text.AppendLine();
        text.AppendLine("| values | source | path | Gvalue/s | GB/s read | of copy | times reference |");
        text.AppendLine("|---:|---|---|---:|---:|---:|---:|");
        foreach (Row row in rows)
        {
            double copy = Find(rows, row, "copy").Nanoseconds;
            double reference = row.Case == "copy" ? double.NaN : Find(rows, row, "Reference " + row.Case.Split(' ')[1]).Nanoseconds;
            text.AppendLine(CultureInfo.InvariantCulture, $"| {row.Values:N0} | {row.Type} | {row.Case} | {row.Values / row.Nanoseconds:F2} | {row.Values * row.Type.Size() / row.Nanoseconds:F1} | {copy / row.Nanoseconds:P0} | {(row.Case == "copy" ? "" : (reference / row.Nanoseconds).ToString("F1", CultureInfo.InvariantCulture))} |");
        }

        Machine.Save("kernels.md", text.ToString());
        return 0;
    }

    private static Row Find(List<Row> rows, Row like, string name) =>
        rows.First(row => row.Values == like.Values && row.Type == like.Type && row.Case == name);

    private sealed record Row(int Values, ElementType Type, string Case, double Nanoseconds);
}
