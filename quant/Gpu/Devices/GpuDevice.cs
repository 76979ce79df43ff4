namespace Bnb.Quant.Gpu.Devices;

/// <summary>A device that can run the kernels, or could if <see cref="Unusable"/> were not set.</summary>
/// <param name="Id">What names it on the command line: <c>cuda:0</c>, <c>opencl:0</c>, <c>cpu-sim:0</c>; numbered by kind in
/// the order in which the driver lists them.</param>
/// <param name="Kind"><c>cuda</c>, <c>opencl</c> or <c>cpu-sim</c>.</param>
/// <param name="Name">The driver's name for it.</param>
/// <param name="MemoryBytes">Its memory; for the simulator 0.</param>
/// <param name="Driver">Version of the driver or of the OpenCL platform, as it calls itself.</param>
/// <param name="IsSimulator">Whether it is ILGPU's interpreter on the CPU: right and very slow, for tests only.</param>
/// <param name="Unusable">Why it cannot be used, null when it can.</param>
/// <param name="IsCpu">Whether an OpenCL driver offers the CPU as a device: for tests, never a gain.</param>
public sealed record GpuDevice(
    string Id, string Kind, string Name, long MemoryBytes, string Driver, bool IsSimulator, string? Unusable,
    bool IsCpu = false);
