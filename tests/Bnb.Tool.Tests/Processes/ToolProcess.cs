using System.Diagnostics;
using Bnb.Engine.Errors;
using Xunit;

namespace Bnb.Tool.Tests.Processes;

/// <summary>The built tool as a process of its own, for what cannot be seen from inside: streams, signals, faults.</summary>
internal static class ToolProcess
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>The executable that a project reference puts beside the test assembly.</summary>
    public static string Executable { get; } = Path.Combine(AppContext.BaseDirectory, "dotnet-bnb");

    public static ToolRun Of(params IEnumerable<string> args) => Run(Start(Executable, args));

    /// <summary>Runs with environment variables set, in a folder.</summary>
    public static ToolRun In(string folder, IEnumerable<KeyValuePair<string, string>> variables, params IEnumerable<string> args)
    {
        ProcessStartInfo start = Start(Executable, args);
        start.WorkingDirectory = folder;
        foreach ((string name, string value) in variables) start.Environment[name] = value;
        return Run(start);
    }

    /// <summary>Runs a line of bash in which <c>"$0" "$@"</c> is the tool with its arguments.</summary>
    public static ToolRun Shell(string line, params IEnumerable<string> args)
    {
        SkipWithout("bash");
        return Run(Start("bash", ["-c", line, Executable, .. args]));
    }

    /// <summary>Runs under strace, which makes chosen system calls fail or kills the tool at one of them.</summary>
    /// <param name="logPath">Where strace writes what it saw.</param>
    /// <param name="options">For example <c>-e inject=fsync:error=EIO</c>, one argument each.</param>
    public static ToolRun Traced(string logPath, IEnumerable<string> options, params IEnumerable<string> args)
    {
        SkipWithout("strace");
        // By seccomp only the calls named in the options stop the tool, not the thousands of others; it injects no signals.
        string[] all = [.. options];
        string[] quick = all.Any(option => option.Contains(":signal=", StringComparison.Ordinal)) ? [] : ["--seccomp-bpf"];
        return Run(Start("strace", ["-f", .. quick, "-qq", "-o", logPath, .. all, Executable, .. args]));
    }

    /// <summary>Starts without waiting; the caller ends it.</summary>
    public static Process Begin(params IEnumerable<string> args) => Process.Start(Start(Executable, args))!;

    public static ToolRun End(Process process)
    {
        using (process)
        {
            // Both at once: a full pipe would stop the process for ever.
            Task<string> talk = process.StandardError.ReadToEndAsync();
            Task<string> results = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(Patience))
            {
                process.Kill(entireProcessTree: true);
                Assert.Fail($"still running after {Patience}: {talk.Result}");
            }

            return new ToolRun((ExitCode)process.ExitCode, results.Result, talk.Result);
        }
    }

    public static void SkipWithout(string program)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs Linux");
        Assert.SkipUnless(Has(program), $"{program} is not installed");
    }

    /// <summary>Whether a program is on the path.</summary>
    public static bool Has(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    private static ToolRun Run(ProcessStartInfo start) => End(Process.Start(start)!);

    private static ProcessStartInfo Start(string program, IEnumerable<string> args) => new(program, args)
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };
}
