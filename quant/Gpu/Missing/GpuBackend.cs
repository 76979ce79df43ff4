namespace Bnb.Quant.Gpu;

/// <summary>What stands in for the backend in builds whose package sources had no ILGPU.</summary>
internal static class GpuBackend
{
    public static string? WhyMissing =>
        "built without the GPU backend, because the package ILGPU was on none of the package sources; build with a source that has it";

    public static IReadOnlyList<GpuDevice> Find(bool includeSimulator) => [];

    public static GpuSession Open(GpuDevice device, long maxDeviceMemoryBytes) => throw new GpuException(WhyMissing!);
}
