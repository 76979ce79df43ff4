using System.Globalization;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace Bnb.Quant.Gpu.Devices;

/// <summary>The devices that ILGPU finds. Every one that is opened has a context of its own, because a kernel that does not
/// compile can leave a context unusable.</summary>
internal static class DriverDevices
{
    private const string Cuda = "cuda", OpenCL = "opencl", Simulator = "cpu-sim";

    /// <summary>All devices, usable or not, in the order of their kinds.</summary>
    public static IReadOnlyList<GpuDevice> Find(bool includeSimulator)
    {
        DriverLibraries.Resolve();
        var found = new List<GpuDevice>();
        Ask(found, Cuda, builder => builder.Cuda(_ => true));
        Ask(found, OpenCL, builder => builder.OpenCL(_ => true));
        if (includeSimulator)
        {
            found.Add(new GpuDevice($"{Simulator}:0", Simulator, "ILGPU CPU accelerator", 0, "ILGPU", IsSimulator: true, null));
        }

        return found;
    }

    /// <summary>A context and an accelerator for a device; the caller disposes the accelerator, then the context.</summary>
    /// <exception cref="GpuException">There is no such device now, or its driver refuses.</exception>
    public static (Context Context, Accelerator Accelerator) Open(GpuDevice device)
    {
        DriverLibraries.Resolve();
        Context? context = null;
        try
        {
            context = Create(device.Kind);
            return (context, Pick(context, device).CreateAccelerator(context));
        }
        catch (Exception error)
        {
            if (context is not null) Closing.Attempt(context.Dispose);
            if (error is GpuException) throw;
            // Drivers fail in many ways, and each of them only means that this device cannot be used.
            throw new GpuException($"{device.Id} ({device.Name}) could not be opened: {error.Message}", error);
        }
    }

    private static Context Create(string kind) => Context.Create(builder =>
    {
        Translate(builder);
        if (kind == Cuda) builder.Cuda(_ => true);
        else if (kind == OpenCL) builder.OpenCL(_ => true);
        else builder.CPU(new CPUDevice(numThreadsPerWarp: 32, numWarpsPerMultiprocessor: 8, numMultiprocessors: 1));
    });

    /// <summary>How kernels are translated, for every context there is. Not O2: it takes thread indices for uniform on CUDA
    /// and gives wrong branches.</summary>
    public static Context.Builder Translate(Context.Builder builder) =>
        builder.Optimize(OptimizationLevel.O1).Math(MathMode.Default).Inlining(InliningMode.Aggressive);

    private static Device Pick(Context context, GpuDevice device)
    {
        int number = int.Parse(device.Id.AsSpan(device.Id.IndexOf(':', StringComparison.Ordinal) + 1), CultureInfo.InvariantCulture);
        Device[] devices = [.. context.Devices.Where(candidate => KindOf(candidate) == device.Kind)];
        return number < devices.Length ? devices[number] : throw new GpuException($"{device.Id}: there is no such device now");
    }

    private static string KindOf(Device device) => device.AcceleratorType switch
    {
        AcceleratorType.Cuda => Cuda,
        AcceleratorType.OpenCL => OpenCL,
        _ => Simulator,
    };

    private static void Ask(List<GpuDevice> found, string kind, Action<Context.Builder> add)
    {
        try
        {
            using Context context = Context.Create(builder => add(builder.Optimize(OptimizationLevel.O1)));
            int number = 0;
            foreach (Device device in context.Devices.Where(candidate => KindOf(candidate) == kind))
            {
                (string driver, string? unusable) = Describe(device);
                found.Add(new GpuDevice(
                    $"{kind}:{number++}", kind, device.Name.Trim(), device.MemorySize, driver, IsSimulator: false, unusable,
                    IsCpu: device is CLDevice { DeviceType: CLDeviceType.CL_DEVICE_TYPE_CPU }));
            }
        }
        catch (Exception error)
        {
            // A broken driver must not hide the devices of the other kind.
            found.Add(new GpuDevice($"{kind}:0", kind, "driver", 0, "", IsSimulator: false, $"the driver failed: {error.Message}"));
        }
    }

    private static (string Driver, string? Unusable) Describe(Device device) => device switch
    {
        CudaDevice cuda => (
            $"CUDA {cuda.DriverVersion.Major}.{cuda.DriverVersion.Minor}, compute {cuda.Architecture}",
            cuda.Architecture is { Major: < 5 } ? "compute capability below 5.0" : null),
        CLDevice cl => (
            $"{cl.DeviceVersion}, {cl.PlatformName}",
            cl.Capabilities.GenericAddressSpace ? null : "no generic address space, which ILGPU needs (PoCL before 5, OpenCL 1.2)"),
        _ => ("ILGPU", null),
    };
}
