using Bnb.Quant.Codes;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Runtime;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="NormalFloat.Values"/> on a device: the same bits.</summary>
internal struct NormalFloatOperation : IOperation
{
    private readonly int _bits;

    public NormalFloatOperation(int bits)
    {
        // Checks k.
        _ = NormalFloat.Offset(bits);
        _bits = bits;
        Values = [];
    }

    /// <summary>The table.</summary>
    public float[] Values { get; private set; }

    public void Run(Workbench bench)
    {
        if (!bench.HasFloat64) throw new GpuException($"{bench.Device.Id}: quantiles need float64, which the device lacks");
        using var values = bench.Accelerator.Allocate1D<float>(1 << _bits);
        CodeTables.StartValues(bench.Accelerator, bench.Kernels, values.View, _bits);
        bench.Accelerator.Synchronize();
        Values = values.GetAsArray1D();
    }
}
