using Bnb.Engine.Devices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Numerics;
using Bnb.Tool.Tests.Bytes;
using Xunit;

namespace Bnb.Tool.Tests.Devices;

/// <summary>Several devices behind one engine: the simulator opened twice stands for two GPUs.</summary>
public sealed class GpuEngineTests
{
    private const int Blocksize = 64;
    private const int Pieces = 12;

    [Fact]
    public void Quantize4_FromSeveralThreads_SharesTheDevicesAndGivesTheBytesOfTheCpu()
    {
        DeviceModel.RequireDevice(DeviceChoice.Simulator);
        GpuDevice device = GpuDevices.Find(includeSimulator: true).Single(found => found.IsSimulator);
        using var engine = new GpuEngine(
            [GpuDevices.Open(device, GpuSession.SmallestMemory), GpuDevices.Open(device, GpuSession.SmallestMemory)], KernelPaths.Selected);
        byte[][] sources = [.. Enumerable.Range(0, Pieces).Select(i => RandomWeights.Of("w", "BF16", i, 8, Blocksize).Data)];

        var results = new (float[] Absmax, byte[] Packed)[Pieces];
        Parallel.For(0, Pieces, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => results[i] = Quantize(engine, sources[i]));

        using var cpu = new CpuEngine(KernelPaths.Selected);
        for (int i = 0; i < Pieces; i++)
        {
            (float[] absmax, byte[] packed) = Quantize(cpu, sources[i]);
            Assert.Equal(absmax, results[i].Absmax);
            Assert.Equal(packed, results[i].Packed);
        }

        Assert.Equal("cpu-sim:0+cpu-sim:0", engine.Name);
    }

    private static (float[] Absmax, byte[] Packed) Quantize(ComputeEngine engine, byte[] source)
    {
        int count = source.Length / 2;
        float[] absmax = new float[count / Blocksize];
        byte[] packed = new byte[count / 2];
        engine.Quantize4(Code4Catalog.Nf4, ElementType.BF16, Blocksize, source, absmax, packed);
        return (absmax, packed);
    }
}
