using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Devices;

/// <summary>Which exceptions mean that a device or its driver failed.</summary>
internal static class DriverErrors
{
    /// <summary>
    /// Errors that CUDA and OpenCL report, full device memory among them; kernels that the compiler or the driver does not
    /// take; functions that the driver's library lacks. Not <see cref="OutOfMemoryException"/>, which is the host's.
    /// </summary>
    public static bool Include(Exception error) => error is
        AcceleratorException or
        InternalCompilerException or
        CapabilityNotSupportedException or
        DllNotFoundException or
        EntryPointNotFoundException;
}
