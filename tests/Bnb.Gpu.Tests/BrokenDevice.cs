
namespace Bnb.Gpu.Tests;

/// <summary>The simulator with a driver that fails as soon as a kernel is asked for.</summary>
internal static class BrokenDevice
{
    /// <summary>What CUDA says.</summary>
    public const string Words = "an illegal memory access was encountered";

    /// <summary>What ILGPU throws for it. By name, because one project alone names ILGPU.</summary>
    public static Exception DriverFailure() =>
        (Exception)Activator.CreateInstance(Type.GetType("ILGPU.Runtime.Cuda.CudaException, ILGPU", throwOnError: true)!, Words)!;

    /// <summary>Opens it.</summary>
    public static GpuSession Open(Exception failure)
    {
        GpuSession session = GpuDevices.Open(GpuDevices.Find(includeSimulator: true)[^1], GpuSession.SmallestMemory);
        session.Bench.Kernels.Fault = () => throw failure;
        return session;
    }
}
