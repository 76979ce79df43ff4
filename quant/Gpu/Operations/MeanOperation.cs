using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Nested;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="AbsmaxMean.Of"/> on a device: the same bits.</summary>
internal ref struct MeanOperation(ReadOnlySpan<float> absmax) : IOperation
{
    private readonly ReadOnlySpan<float> _absmax = absmax;

    /// <summary>The mean.</summary>
    public float Mean { get; private set; }

    public void Run(Workbench bench)
    {
        if (_absmax.IsEmpty) return;
        long partialWords = NestedLaunch.PartialWords(_absmax.Length), needed = 4L * (_absmax.Length + partialWords + 1);
        if (needed > bench.MaxDeviceMemoryBytes)
        {
            throw new GpuException(
                $"{bench.Device.Id}: a mean of {_absmax.Length} values needs {needed} bytes on the device, the limit is {bench.MaxDeviceMemoryBytes}");
        }

        using var values = bench.Accelerator.Allocate1D(_absmax.ToArray());
        using var partial = bench.Accelerator.Allocate1D<int>(partialWords);
        using var mean = bench.Accelerator.Allocate1D<float>(1);
        NestedLaunch.Mean(bench, bench.Accelerator.DefaultStream, values.View, _absmax.Length, partial.View, mean.View);
        Mean = mean.GetAsArray1D()[0];
    }
}
