namespace Bnb.Quant.Gpu;

/// <summary>The GPUs of this machine, and whether this build can use any. The same in builds with and without ILGPU.</summary>
public static class GpuDevices
{
    // Two threads that ask an OpenCL driver at once were seen to get no devices and no error.
    private static readonly Lock Asking = new();

    /// <summary>Whether this build has the GPU backend at all.</summary>
    public static bool IsBuiltIn => GpuBackend.WhyMissing is null;

    /// <summary>Why this build has no GPU backend; null when it has.</summary>
    public static string? WhyMissing => GpuBackend.WhyMissing;

    /// <summary>
    /// Asks the drivers. A driver library that is not there gives no devices and no error; a device that ILGPU refuses is
    /// listed with the reason. Nothing is allocated on a device.
    /// </summary>
    /// <param name="includeSimulator">Whether <c>cpu-sim:0</c> is listed, too.</param>
    /// <returns>CUDA devices first, then OpenCL, then the simulator; empty without the backend.</returns>
    public static IReadOnlyList<GpuDevice> Find(bool includeSimulator = false)
    {
        lock (Asking) return GpuBackend.Find(includeSimulator);
    }

    /// <summary>
    /// Opens a device and checks, on inputs chosen to break inexact arithmetic, that it gives the bytes of the CPU.
    /// </summary>
    /// <param name="device">One of <see cref="Find"/>.</param>
    /// <param name="maxDeviceMemoryBytes">The most device memory that streaming operations hold at any time, at least
    /// <see cref="GpuSession.SmallestMemory"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The memory limit is too small.</exception>
    /// <exception cref="GpuException">No backend, no such device, or the device is not usable; the text says why.</exception>
    public static GpuSession Open(GpuDevice device, long maxDeviceMemoryBytes)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxDeviceMemoryBytes, GpuSession.SmallestMemory);
        if (WhyMissing is { } reason) throw new GpuException($"{device.Id}: {reason}");
        if (device.Unusable is { } unusable) throw new GpuException($"{device.Id} ({device.Name}): {unusable}");
        lock (Asking) return GpuBackend.Open(device, maxDeviceMemoryBytes);
    }
}
