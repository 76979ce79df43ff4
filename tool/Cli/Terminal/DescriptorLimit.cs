using System.Runtime.InteropServices;

namespace Bnb.Cli.Terminal;

/// <summary>
/// The limit of open files (<c>ulimit -n</c>), looked at before anything else: with too low a one the runtime ends in the middle
/// of a run because it cannot load its own libraries, which no code of ours can report. So this uses none of them.
/// </summary>
internal static partial class DescriptorLimit
{
    // The runtime alone takes some 70 for its libraries, a run a dozen.
    private const ulong Least = 128;
    // What is open at once beside the threads' own files: those of the runtime, finished weight files that wait for their fsync.
    private const ulong Reserved = 112;
    // A source, an output, and a file that belongs to the source: an adapter, a scratch file.
    private const ulong FilesOfAThread = 3;
    private const int OpenFiles = 7;
    private const int StandardOutput = 1;
    private const int StandardError = 2;

    /// <summary>True, after an error on stderr, when a run could not be sure to end with one.</summary>
    public static bool IsTooLow(string[] args)
    {
        if (Limit() >= Least) return false;
        Write(StandardError, "error[DESCRIPTORS]: the limit of open files is below 128\n  do  raise it: ulimit -n 256\nnothing was written\n"u8);
        foreach (string arg in args)
        {
            if (arg != "--json") continue;
            Write(StandardOutput, "{\"type\":\"exit\",\"code\":12,\"error\":\"DESCRIPTORS\",\"message\":\"the limit of open files is below 128\",\"do\":\"raise it: ulimit -n 256\"}\n"u8);
            break;
        }

        return true;
    }

    /// <summary>How many threads can have files open at once, at least 1. With more a run would end in the middle, or the runtime.</summary>
    public static int MostThreads() => (int)Math.Clamp((Math.Max(Limit(), Reserved) - Reserved) / FilesOfAThread, 1, int.MaxValue);

    private static unsafe ulong Limit()
    {
        // Soft and hard: the runtime raises the first to the second as it starts.
        ulong* limits = stackalloc ulong[2];
        return OperatingSystem.IsLinux() && getrlimit(OpenFiles, limits) == 0 ? limits[1] : ulong.MaxValue;
    }

    private static unsafe void Write(int descriptor, ReadOnlySpan<byte> text)
    {
        // What cannot be written has nowhere else to go.
        fixed (byte* bytes = text) _ = write(descriptor, bytes, text.Length);
    }

    [LibraryImport("libc")]
    private static unsafe partial int getrlimit(int resource, ulong* limits);

    [LibraryImport("libc")]
    private static unsafe partial nint write(int descriptor, byte* bytes, nint count);
}
