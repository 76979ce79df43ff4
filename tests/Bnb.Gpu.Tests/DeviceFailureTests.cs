using Bnb.Quant.Blockwise;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Gpu.Tests;

/// <summary>What becomes of a device that fails while it works, and of rows that do not fit.</summary>
public sealed class DeviceFailureTests
{
    private static readonly Dictionary<string, Action<GpuSession>> Operations = new()
    {
        ["Quantize4"] = session => session.Quantize4(Code4Catalog.Nf4, ElementType.F32, 64, new byte[8], new float[1], new byte[1]),
        ["Dequantize4"] = session => session.Dequantize4(Code4Catalog.Nf4, 64, ElementType.F32, new byte[1], new float[1], new byte[8]),
        ["QuantizeInt8Rows"] = session => session.QuantizeInt8Rows(ElementType.F16, 2, new byte[4], new float[1], new sbyte[2]),
        ["DequantizeInt8Rows"] = session => session.DequantizeInt8Rows(2, new sbyte[2], new float[1], ElementType.F16, new byte[4]),
        ["QuantizeBlockwise8"] = session => session.QuantizeBlockwise8(new float[2], 256, new byte[2], new float[1]),
        ["DequantizeBlockwise8"] = session => session.DequantizeBlockwise8(new byte[2], 256, new float[1], new float[2]),
        ["MeanOfAbsmax"] = session => session.MeanOfAbsmax(new float[2]),
        ["QuantizeAbsmax"] = session => session.QuantizeAbsmax(new float[2], 0f, new byte[2], new float[1]),
        ["DequantizeAbsmax"] = session => session.DequantizeAbsmax(new byte[2], new float[256], new float[1], 0f, new float[2]),
        ["MixedGemm4"] = session => session.MixedGemm4(
            1, 1, 2, ElementType.F16, new byte[4], Code4Catalog.Nf4, 64, new byte[1], new float[1], new float[1]),
        ["MixedGemmInt8"] = session => session.MixedGemmInt8(
            1, 1, 2, ElementType.F16, new byte[4], new sbyte[2], new float[1], new float[1]),
        ["MixedGemmFp8"] = session => session.MixedGemmFp8(1, 1, 2, ElementType.F16, new byte[4], new byte[2], new float[1], new float[1]),
        ["MixedGemmGroups4"] = session => session.MixedGemmGroups4(
            1, 1, 32, ElementType.F16, new byte[64], 32, ElementType.F16, new byte[16], new byte[2], new sbyte[1], new float[1]),
        ["Int8Gemm"] = session => session.Int8Gemm(
            Int8Activations.Prepare(1, 2, ElementType.F16, new byte[4], 6f), 1, new sbyte[2], new float[1], new float[1]),
        ["QuantizeInt4Groups"] = session => session.QuantizeInt4Groups(
            ElementType.F16, 32, symmetric: false, new byte[64], new byte[2], new sbyte[1], new byte[16]),
        ["DequantizeInt4Groups"] = session => session.DequantizeInt4Groups(
            ElementType.F16, 32, new byte[16], new byte[2], [], ElementType.F16, new byte[64]),
        ["QuantizeFp8"] = session => session.QuantizeFp8(ElementType.F16, 2, new byte[4], new byte[2], new byte[2]),
        ["QuantizeNested4"] = session => session.QuantizeNested4(
            Code4Catalog.Nf4, ElementType.F32, 64, new byte[8], new byte[1], new byte[1], new float[1], out _),
        ["SearchBlocks4"] = session => session.SearchBlocks4(Code4Catalog.Nf4, ElementType.F32, 64, new byte[8], default, new float[1], new byte[1]),
        ["SearchNested4"] = session => session.SearchNested4(
            Code4Catalog.Fp4, ElementType.F32, 64, new byte[8], default, new byte[1], new float[1], new byte[1]),
        ["SearchInt4Groups"] = session => session.SearchInt4Groups(
            ElementType.F16, ElementType.F16, 32, new byte[64], default, new byte[2], new byte[16]),
        ["SearchInt8Rows"] = session => session.SearchInt8Rows(ElementType.F16, 2, new byte[4], default, new float[1], new sbyte[2]),
        ["NormalFloatValues"] = session => session.NormalFloatValues(4),
    };

    public static IEnumerable<TheoryDataRow<string>> Names => Operations.Keys.Select(name => new TheoryDataRow<string>(name));

    [Theory]
    [MemberData(nameof(Names))]
    public void Operation_DriverFails_SaysWhichDeviceAndWhat(string operation)
    {
        Exception cause = BrokenDevice.DriverFailure();
        var error = Assert.Throws<GpuException>(() =>
        {
            using GpuSession session = BrokenDevice.Open(cause);
            Operations[operation](session);
        });

        Assert.Equal($"cpu-sim:0 (ILGPU CPU accelerator): {BrokenDevice.Words}", error.Message);
        Assert.Same(cause, error.InnerException);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Operation_OurOwnMistake_IsNotBlamedOnTheDevice(string operation)
    {
        using GpuSession session = BrokenDevice.Open(new InvalidOperationException());

        Assert.Throws<InvalidOperationException>(() => Operations[operation](session));
    }

    [Fact]
    public void AttemptAll_StepThatFails_LeavesNoneOut()
    {
        bool last = false;

        Closing.AttemptAll([() => throw BrokenDevice.DriverFailure(), () => last = true]);

        Assert.True(last);
    }

    [Fact]
    public void Session_Closed_RefusesToWork()
    {
        GpuSession session = BrokenDevice.Open(BrokenDevice.DriverFailure());

        session.Dispose();
        session.Dispose();

        Assert.Throws<ObjectDisposedException>(() => session.MeanOfAbsmax(new float[1]));
    }

    [Theory]
    [InlineData(ElementType.F32, 1572863)]
    [InlineData(ElementType.F16, 2621438)]
    [InlineData(ElementType.BF16, 2621438)]
    public void LongestRow_SmallestMemory_IsWhereQuantizationBeginsToRefuse(ElementType type, int expected)
    {
        using GpuSession session = BrokenDevice.Open(BrokenDevice.DriverFailure());
        int columns = session.LongestRow(type);

        Assert.Equal(expected, columns);
        Assert.Contains(BrokenDevice.Words, Refusal(session, type, columns), StringComparison.Ordinal);
        Assert.Contains($"memory limit of {GpuSession.SmallestMemory} bytes", Refusal(session, type, columns + 1), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ILGPU.Runtime.Cuda.CudaException", true)]
    [InlineData("ILGPU.Runtime.OpenCL.CLException", true)]
    [InlineData("ILGPU.CapabilityNotSupportedException", true)]
    [InlineData("ILGPU.InvalidKernelOperationException", false)]
    public void DriverErrors_ExceptionsOfIlgpu_AreToldApart(string name, bool ofDevice)
    {
        var error = (Exception)Activator.CreateInstance(Type.GetType($"{name}, ILGPU", throwOnError: true)!)!;

        Assert.Equal(ofDevice, DriverErrors.Include(error));
    }

    [Fact]
    public void Open_SimulatorThatIsNotThere_GivesTheReasonAsItIs()
    {
        GpuDevice device = GpuDevices.Find(includeSimulator: true)[^1] with { Id = "cpu-sim:7" };
        var error = Assert.Throws<GpuException>(() => GpuDevices.Open(device, GpuSession.SmallestMemory));

        Assert.Equal("cpu-sim:7: there is no such device now", error.Message);
    }

    private static string Refusal(GpuSession session, ElementType type, int columns) => Assert.Throws<GpuException>(
        () => session.QuantizeInt8Rows(type, columns, new byte[columns * type.Size()], new float[1], new sbyte[columns])).Message;
}
