using Bnb.Engine.Events;
using Bnb.Formats.IO;
using Microsoft.Win32.SafeHandles;

namespace Bnb.Engine.Output;

/// <summary>Who may work in a staging folder: one run alone, or any number of workers.</summary>
internal static class StagingLock
{
    private const int MillisecondsBetweenTries = 50;
    private const int MostMilliseconds = 30_000;

    /// <summary>
    /// Takes the lock. A worker waits a while for another that commits or has the folder to itself for a moment.
    /// </summary>
    public static SafeFileHandle Take(string folder, bool shared, IRunEvents events)
    {
        SafeFileHandle? taken = Posix.Flock(folder, shared, out bool held);
        if (taken is null && shared) taken = Poll(folder, shared: true, CancellationToken.None);
        if (taken is null) throw StagingErrors.Locked(folder);
        if (!held) events.Warning("the file system has no locks: let no other run write this output meanwhile, except workers of the same command");
        return taken;
    }

    /// <returns>Null when the folder has got its final name, or somebody still has the lock after half a minute.</returns>
    public static SafeFileHandle? WaitForWhole(string folder, CancellationToken cancellation) => Poll(folder, shared: false, cancellation);

    private static SafeFileHandle? Poll(string folder, bool shared, CancellationToken cancellation)
    {
        long end = Environment.TickCount64 + MostMilliseconds;
        while (Directory.Exists(folder) && Environment.TickCount64 < end)
        {
            if (TryTake(folder, shared) is { } taken) return taken;
            cancellation.WaitHandle.WaitOne(MillisecondsBetweenTries);
            cancellation.ThrowIfCancellationRequested();
        }

        return null;
    }

    private static SafeFileHandle? TryTake(string folder, bool shared)
    {
        try
        {
            return Posix.Flock(folder, shared, out _);
        }
        catch (IOException) when (!Directory.Exists(folder))
        {
            return null;
        }
    }
}
