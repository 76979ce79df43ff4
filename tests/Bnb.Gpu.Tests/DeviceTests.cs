namespace Bnb.Gpu.Tests;

/// <summary>The checks of <see cref="DeviceChecks"/> on ILGPU's CPU accelerator, with little data.</summary>
public sealed class SimulatorTests
{
    public static IEnumerable<TheoryDataRow<string>> Checks => DeviceUnderTest.Rows("cpu-sim");

    [Theory]
    [MemberData(nameof(Checks))]
    public void Simulator_GivesWhatTheCpuGives(string check) => DeviceUnderTest.Run("cpu-sim", check);
}

/// <summary>The same on the first OpenCL device.</summary>
public sealed class OpenClTests
{
    public static IEnumerable<TheoryDataRow<string>> Checks => DeviceUnderTest.Rows("opencl");

    [Theory]
    [MemberData(nameof(Checks))]
    public void OpenCl_GivesWhatTheCpuGives(string check) => DeviceUnderTest.Run("opencl", check);
}

/// <summary>The same on the first CUDA device.</summary>
public sealed class CudaTests
{
    public static IEnumerable<TheoryDataRow<string>> Checks => DeviceUnderTest.Rows("cuda");

    [Theory]
    [MemberData(nameof(Checks))]
    public void Cuda_GivesWhatTheCpuGives(string check) => DeviceUnderTest.Run("cuda", check);
}
