using Bnb.Quant.Gpu.Devices;

namespace Bnb.Quant.Gpu;

/// <summary>The GPUs of this machine.</summary>
public static class GpuDevices
{
    // Two threads that ask an OpenCL driver at once were seen to get no devices and no error.
    private static readonly Lock Asking = new();

    /// <summary>
    /// Asks the drivers. A driver library that is not there gives no devices and no error; a device that ILGPU refuses is
    /// listed with the reason. Nothing is allocated on a device.
    /// </summary>
    /// <param name="includeSimulator">Whether <c>cpu-sim:0</c> is listed, too.</param>
    /// <returns>CUDA devices first, then OpenCL, then the simulator.</returns>
    public static IReadOnlyList<GpuDevice> Find(bool includeSimulator = false)
    {
        lock (Asking) return DriverDevices.Find(includeSimulator);
    }

    /// <summary>
    /// Opens a device and checks, on inputs chosen to break inexact arithmetic, that it gives the bytes of the CPU.
    /// </summary>
    /// <param name="device">One of <see cref="Find"/>.</param>
    /// <param name="maxDeviceMemoryBytes">The most device memory that streaming operations hold at any time, at least
    /// <see cref="GpuSession.SmallestMemory"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The memory limit is too small.</exception>
    /// <exception cref="GpuException">No such device, or the device is not usable; the text says why.</exception>
    public static GpuSession Open(GpuDevice device, long maxDeviceMemoryBytes)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxDeviceMemoryBytes, GpuSession.SmallestMemory);
        if (device.Unusable is { } unusable) throw new GpuException($"{device.Id} ({device.Name}): {unusable}");
        lock (Asking) return GpuSession.Open(device, maxDeviceMemoryBytes);
    }
}
