using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Bnb.Quant.Backends;

namespace Bnb.Benchmarks;

/// <summary>The lines that every result file begins with, written by the program so that they cannot go stale.</summary>
internal static class Machine
{
    /// <summary>Folder name of this machine's results: the processor's name in lower case.</summary>
    public static string Slug { get; } = string.Join('-', CpuName().ToLowerInvariant()
        .Split([' ', '(', ')', '@', ',', '/'], StringSplitOptions.RemoveEmptyEntries)) + $"-{Environment.ProcessorCount}-cores";

    public static string Header(string title) => string.Create(CultureInfo.InvariantCulture, $"""
        # {title}

        - machine: {CpuName()}, {Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1L << 30)} GiB, {RuntimeInformation.OSDescription.Trim()}
        - runtime: {RuntimeInformation.FrameworkDescription}, kernel paths {string.Join(", ", KernelPaths.Available)}
        - commit: {Git("rev-parse --short HEAD")}{(Git("status --porcelain -- quant formats tool").Length > 0 ? " with uncommitted changes" : "")}, {DateTime.UtcNow:yyyy-MM-dd}


        """);

    /// <summary>Writes docs/benchmarks/MACHINE/name and says so.</summary>
    public static void Save(string name, string text)
    {
        string folder = Path.Combine(Golden.RepositoryRoot, "docs", "benchmarks", Slug);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, name), text);
        Console.WriteLine(text);
        Console.WriteLine("written to " + Path.GetRelativePath(Golden.RepositoryRoot, Path.Combine(folder, name)));
    }

    private static string CpuName() => File.Exists("/proc/cpuinfo")
        ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown"
        : RuntimeInformation.ProcessArchitecture.ToString();

    private static string Git(string arguments)
    {
        try
        {
            using var git = Process.Start(new ProcessStartInfo("git", arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = Golden.RepositoryRoot,
            })!;
            string text = git.StandardOutput.ReadToEnd().Trim();
            git.WaitForExit();
            return text;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // A machine that only runs what was published elsewhere may have no git.
            return "unknown";
        }
    }
}
