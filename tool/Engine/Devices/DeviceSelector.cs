using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Text;
using Bnb.Quant.Backends;
using Bnb.Quant.Gpu;
using Bnb.Quant.Gpu.Devices;

namespace Bnb.Engine.Devices;

/// <summary>What a command asks of a device.</summary>
/// <param name="MaxMemoryBytes">Of each device; null for the default.</param>
/// <param name="WorkBytes">Bytes of weights that kernels will read: opening a GPU must pay.</param>
/// <param name="Threads">CPU threads that would do the work otherwise.</param>
/// <param name="CpuOnly">What the work is when it has nothing for a GPU; else null.</param>
internal sealed record DeviceNeed(DeviceChoice Choice, long? MaxMemoryBytes, long WorkBytes, int Threads, string? CpuOnly = null)
{
    /// <summary>Whether scales are searched, which is more work for each weight by far, and needs float64.</summary>
    public bool Searches { get; init; }
}

/// <summary>Opens what <c>--device</c> names, or for <c>auto</c> what is measured to be faster. Says what it did and why.</summary>
internal static class DeviceSelector
{
    /// <summary>Loading a driver and compiling kernels takes about as long as the CPU needs for a few of these.</summary>
    public const long SmallestWorkForGpu = 4_000_000_000;

    /// <summary>The same of weights whose scales are searched.</summary>
    public const long SmallestSearchForGpu = 100_000_000;

    private const long DefaultMemory = 1L << 30;

    /// <exception cref="UserErrorException">DEVICE: what was asked for by name is not there or cannot be used.</exception>
    /// <returns>An engine whose <see cref="ComputeEngine.Note"/> says what was taken and why.</returns>
    public static ComputeEngine Open(DeviceNeed need, KernelPath path, IRunEvents events)
    {
        if (need.Choice.Kind == DeviceChoice.CpuKind) return new CpuEngine(path);
        if (need.Choice.Kind != DeviceChoice.Auto)
        {
            // Loud, because who names a device expects it to work.
            if (need.CpuOnly is not { } work)
            {
                GpuEngine engine = OpenNamed(need, path);
                if (need.Searches && engine.NoSearch is { } reason) events.Warning($"{reason}, which a search for scales needs: the CPU does it");
                return engine;
            }

            events.Warning($"{work} has no GPU kernel: the CPU does it");
            return new CpuEngine(path) { Note = $"cpu: {work} has no GPU kernel" };
        }

        AutoDecision decision = Decide(need, path);
        string note = $"{decision.Device?.Id ?? DeviceChoice.CpuKind}: {decision.Reason}";
        return decision.Session is { } session ? new GpuEngine([session], path) { Note = note } : new CpuEngine(path) { Note = note };
    }

    /// <summary>What <c>auto</c> would choose. The session, if there is one, is the caller's to dispose.</summary>
    public static AutoDecision Decide(DeviceNeed need, KernelPath path)
    {
        if (need.CpuOnly is { } work) return new AutoDecision(null, null, $"{work} has no GPU kernel");
        IReadOnlyList<GpuDevice> found = GpuDevices.Find();
        List<GpuDevice> gpus = [.. found.Where(device => !device.IsCpu)];
        GpuDevice? best = gpus.FirstOrDefault(device => device.Unusable is null);
        if (best is null) return new AutoDecision(null, null, gpus.Count == 0 ? "no GPU was found" : $"{gpus[0].Id} cannot be used: {gpus[0].Unusable}");
        long least = need.Searches ? SmallestSearchForGpu : SmallestWorkForGpu;
        if (need.WorkBytes < least)
        {
            return new AutoDecision(
                null, null, $"{ByteSize.Format(need.WorkBytes)} of weights are done before {best.Id} is ready (from {ByteSize.Format(least)} on it is measured)");
        }

        GpuSession? session = null;
        try
        {
            session = GpuDevices.Open(best, MemoryLimit(need, best));
            if (need.Searches && !session.HasFloat64)
            {
                session.Dispose();
                return new AutoDecision(null, null, $"{best.Id} has no float64, which a search for scales needs");
            }

            (double gpu, double cpu) = need.Searches ? DeviceRates.MeasureSearch(session, path, need.Threads) : DeviceRates.Measure(session, path, need.Threads);
            string rates = $"{best.Id} {(need.Searches ? "searches" : "quantizes")} {DeviceRates.Text(gpu)} with copies, the CPU {DeviceRates.Text(cpu)} ({need.Threads} threads, {path.ToString().ToLowerInvariant()})";
            if (gpu > cpu) return new AutoDecision(best, session, rates);
            session.Dispose();
            return new AutoDecision(null, null, rates);
        }
        catch (GpuException failure)
        {
            session?.Dispose();
            return new AutoDecision(null, null, $"{best.Id} failed: {failure.Message}");
        }
    }

    private static GpuEngine OpenNamed(DeviceNeed need, KernelPath path)
    {
        IReadOnlyList<GpuDevice> found = GpuDevices.Find(need.Choice.IsSimulator);
        List<GpuDevice> matching = [.. found.Where(need.Choice.Matches)];
        List<GpuDevice> usable = [.. matching.Where(device => device.Unusable is null)];
        if (usable.Count == 0)
        {
            string why = matching.Count == 0 ? "there is no such device" : $"{matching[0].Id} ({matching[0].Name}) cannot be used: {matching[0].Unusable}";
            throw Missing(need.Choice, why, found);
        }

        var sessions = new List<GpuSession>();
        try
        {
            foreach (GpuDevice device in usable) sessions.Add(GpuDevices.Open(device, MemoryLimit(need, device)));
        }
        catch
        {
            foreach (GpuSession session in sessions) session.Dispose();
            throw;
        }

        return new GpuEngine(sessions, path) { Note = string.Join(", ", usable.Select(device => $"{device.Id} ({device.Name})")) };
    }

    private static long MemoryLimit(DeviceNeed need, GpuDevice device)
    {
        if (need.MaxMemoryBytes is { } given) return given;
        long half = device.MemoryBytes > 0 ? Math.Min(DefaultMemory, device.MemoryBytes / 2) : DefaultMemory;
        return Math.Max(half, GpuSession.SmallestMemory);
    }

    private static UserErrorException Missing(DeviceChoice choice, string why, IReadOnlyList<GpuDevice> found) =>
        new(ExitCode.DeviceFailed, "DEVICE", $"--device {choice}: {why}")
        {
            Facts = [.. found.Select(device => ("found", $"{device.Id} ({device.Name})"))],
            Action = "see dotnet bnb devices, or use --device cpu",
        };
}

/// <param name="Device">Null for the CPU.</param>
/// <param name="Session">Open when a device was chosen.</param>
internal sealed record AutoDecision(GpuDevice? Device, GpuSession? Session, string Reason);
