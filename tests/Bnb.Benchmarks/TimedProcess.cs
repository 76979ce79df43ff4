using System.Diagnostics;
using System.Globalization;

namespace Bnb.Benchmarks;

/// <summary>Wall time, processor time of all its threads and peak resident memory of one child process.</summary>
internal readonly record struct TimedProcess(double Seconds, double CpuSeconds, long PeakBytes)
{
    public static TimedProcess Run(string file, params string[] arguments)
    {
        var watch = Stopwatch.StartNew();
        using var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        long peak = 0;
        double cpu = 0;
        // Both only grow, so the last sample before the end is all but the true value.
        while (!process.WaitForExit(5)) (peak, cpu) = (Math.Max(peak, HighWaterMark(process.Id)), Math.Max(cpu, ProcessorTime(process)));
        double seconds = watch.Elapsed.TotalSeconds;
        if (process.ExitCode != 0) throw new InvalidOperationException($"{file} ended with {process.ExitCode}: {output.Result}{error.Result}");
        return new TimedProcess(seconds, cpu, peak);
    }

    private static double ProcessorTime(Process process)
    {
        try
        {
            return process.TotalProcessorTime.TotalSeconds;
        }
        catch (Exception gone) when (gone is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return 0;
        }
    }

    private static long HighWaterMark(int pid)
    {
        try
        {
            string? line = File.ReadLines($"/proc/{pid}/status").FirstOrDefault(text => text.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
