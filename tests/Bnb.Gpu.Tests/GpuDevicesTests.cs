using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Gpu.Tests;

/// <summary>What holds without any device.</summary>
public sealed class GpuDevicesTests
{
    private static readonly GpuDevice Nowhere = new("cuda:99", "cuda", "none", 0, "", IsSimulator: false, Unusable: null);

    [Fact]
    public void Find_WithTheSimulator_ListsItWhenAsked()
    {
        GpuDevice[] simulators = [.. GpuDevices.Find(includeSimulator: true).Where(device => device.IsSimulator)];

        Assert.Equal(["cpu-sim:0"], simulators.Select(device => device.Id));
        Assert.DoesNotContain(GpuDevices.Find(), device => device.IsSimulator);
    }

    [Fact]
    public void Open_DeviceThatIsNotThere_SaysWhichAndWhy()
    {
        var error = Assert.Throws<GpuException>(() => GpuDevices.Open(Nowhere, GpuSession.SmallestMemory));

        Assert.Contains("cuda:99", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_UnusableDevice_GivesItsReason()
    {
        var error = Assert.Throws<GpuException>(
            () => GpuDevices.Open(Nowhere with { Unusable = "too old" }, GpuSession.SmallestMemory));

        Assert.Contains("too old", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_TooLittleMemory_IsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => GpuDevices.Open(Nowhere, GpuSession.SmallestMemory - 1));

    [Fact]
    public void Session_WrongLengths_AreRefusedBeforeTheDevice()
    {
        using GpuSession session = GpuDevices.Open(GpuDevices.Find(includeSimulator: true)[^1], GpuSession.SmallestMemory);

        Assert.Throws<ArgumentException>(() => session.Quantize4(Code4Catalog.Nf4, ElementType.F32, 64, new byte[7], new float[1], new byte[1]));
        Assert.Throws<ArgumentException>(() => session.Quantize4(Code4Catalog.Nf4, ElementType.F32, 64, new byte[8], new float[2], new byte[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => session.Quantize4(Code4Catalog.Nf4, ElementType.F32, 48, new byte[8], new float[1], new byte[1]));
        Assert.Throws<ArgumentException>(() => session.QuantizeInt8Rows(ElementType.F16, 3, new byte[8], new float[1], new sbyte[3]));
        Assert.Throws<ArgumentException>(() => session.DequantizeInt8Rows(3, new sbyte[4], new float[1], ElementType.F16, new byte[6]));
        Assert.Throws<ArgumentException>(() => session.DequantizeInt8Rows(3, new sbyte[3], new float[1], ElementType.F16, new byte[3]));
        Assert.Throws<ArgumentException>(() => session.SearchBlocks4(Code4Catalog.Nf4, ElementType.F16, 64, new byte[4], default, new float[2], new byte[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => session.SearchBlocks4(Code4Catalog.Nf4, ElementType.F16, 48, new byte[4], default, new float[1], new byte[1]));
        Assert.Throws<ArgumentException>(() => session.SearchNested4(Code4Catalog.Nf4, ElementType.F16, 64, new byte[4], default, new byte[1], new float[2], new byte[1]));
        Assert.Throws<ArgumentException>(() => session.SearchInt4Groups(ElementType.F16, ElementType.F32, 32, new byte[62], default, new byte[4], new byte[16]));
        Assert.Throws<ArgumentOutOfRangeException>(() => session.SearchInt4Groups(ElementType.F16, ElementType.F32, 16, new byte[32], default, new byte[4], new byte[8]));
        Assert.Throws<ArgumentException>(() => session.SearchInt8Rows(ElementType.F16, 3, new byte[8], default, new float[1], new sbyte[3]));
        Assert.Throws<ArgumentException>(() => session.MixedGemmFp8(1, 2, 3, ElementType.F16, new byte[6], new byte[6], new float[1], new float[2]));
        Assert.Throws<ArgumentException>(() => session.MixedGemmInt8(1, 2, 3, ElementType.F16, new byte[6], new sbyte[6], new float[1], new float[2]));
        Assert.Throws<ArgumentException>(() => session.MixedGemmInt8(1, 2, 3, ElementType.F16, new byte[6], new sbyte[7], new float[2], new float[2]));
        AssertPhaseIsRefused(session, -1, packed: 4);
        AssertPhaseIsRefused(session, 64, packed: 99);
        Assert.Throws<ArgumentException>(() => Multiply4(session, phase: 3, packed: 4));
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.MeanOfAbsmax(new float[1]));
    }

    private static void AssertPhaseIsRefused(GpuSession session, int phase, int packed) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Multiply4(session, phase, packed));

    private static void Multiply4(GpuSession session, int phase, int packed) => session.MixedGemm4(
        1, 2, 3, ElementType.F16, new byte[6], Code4Catalog.Nf4, 64, new byte[packed], new float[1], new float[2], GpuProduct.Auto, phase);
}
