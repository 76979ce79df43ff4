using Bnb.Quant.Gpu;
using Bnb.TestKit;
using Bnb.Tool.Tests.Bytes;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Devices;

/// <summary>A checkpoint small enough for ILGPU's interpreter, and the devices to try with it.</summary>
internal static class DeviceModel
{
    /// <summary>Widths that fill blocks and some that do not; every dtype; values of every character and normal ones.</summary>
    public static string Write(string folder) => CheckpointBuilder.SingleFile(
        folder,
        [
            RandomWeights.Of("model.layers.0.self_attn.q_proj.weight", "BF16", 1, 16, 64),
            RandomWeights.Of("model.layers.0.self_attn.k_proj.weight", "F16", 2, 12, 64),
            NormalWeights.Of("model.layers.0.self_attn.v_proj.weight", "F32", 3, 9, 40),
            NormalWeights.Of("model.layers.0.self_attn.o_proj.weight", "BF16", 4, 64, 64),
            TestTensor.Floats("model.norm.weight", "BF16", 64),
        ]);

    /// <summary>Words for <c>--device</c>; the tests skip, visibly, what is not there.</summary>
    public static TheoryData<string> Kinds => ["cpu-sim", "opencl", "cuda"];

    public static void RequireDevice(string kind)
    {
        Assert.SkipUnless(
            GpuDevices.Find(includeSimulator: true).Any(device => device.Kind == kind && device.Unusable is null), $"no usable {kind} device");
    }
}
