using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Benchmarks;

/// <summary>What a device does when it fails or has too little memory.</summary>
internal static class GpuFaults
{
    /// <summary>Name and step; what is wrong is thrown.</summary>
    public static IReadOnlyList<(string Name, Func<GpuDevice, string> Run)> Steps { get; } =
    [
        ("row beyond the memory limit", TooLongRow), ("lost device", LostDevice), ("session after a lost one", NextSession),
    ];

    private static string TooLongRow(GpuDevice device)
    {
        using GpuSession session = GpuDevices.Open(device, GpuSession.SmallestMemory);
        int columns = session.LongestRow(ElementType.F16) + 1;
        Expect("memory limit", () => session.QuantizeInt8Rows(ElementType.F16, columns, new byte[2L * columns], new float[1], new sbyte[columns]));
        return "";
    }

    private static string LostDevice(GpuDevice device)
    {
        using GpuSession session = GpuDevices.Open(device, GpuSession.SmallestMemory);
        // As a driver says it: a library without the function, which is one of the exceptions that mean the device.
        session.Bench.Kernels.Fault = () => throw new EntryPointNotFoundException("the device is lost");
        Expect("the device is lost", () => Quantize(session));
        return "";
    }

    private static string NextSession(GpuDevice device)
    {
        using (GpuSession lost = GpuDevices.Open(device, GpuSession.SmallestMemory))
        {
            lost.Bench.Kernels.Fault = () => throw new EntryPointNotFoundException("the device is lost");
            Expect("the device is lost", () => Quantize(lost));
        }

        using GpuSession next = GpuDevices.Open(device, GpuSession.SmallestMemory);
        Quantize(next);
        return "";
    }

    private static void Quantize(GpuSession session) =>
        session.Quantize4(Code4Catalog.Nf4, ElementType.F32, 64, new byte[256], new float[1], new byte[32]);

    private static void Expect(string words, Action action)
    {
        try
        {
            action();
        }
        catch (GpuException error) when (error.Message.Contains(words, StringComparison.Ordinal))
        {
            return;
        }

        throw new InvalidOperationException($"no error that says '{words}'");
    }
}
