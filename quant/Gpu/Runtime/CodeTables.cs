using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Gpu.Devices;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Runtime;

/// <summary>The tables of a 4-bit code on a device.</summary>
internal sealed class CodeTables : IDisposable
{
    private readonly MemoryBuffer1D<long, Stride1D.Dense> _buckets;
    private readonly MemoryBuffer1D<float, Stride1D.Dense> _thresholds, _values;

    /// <exception cref="GpuException">There are no kernels for the code.</exception>
    public CodeTables(Accelerator accelerator, Code4 code)
    {
        GpuCode table = GpuCode.Of(code);
        _buckets = accelerator.Allocate1D(table.Buckets);
        _thresholds = accelerator.Allocate1D(table.Thresholds);
        _values = accelerator.Allocate1D(table.Values);
    }

    /// <summary>32 buckets, see <see cref="BucketTable{TCode}"/>.</summary>
    public ArrayView<long> Buckets => _buckets.View;

    /// <summary>Ascending.</summary>
    public ArrayView<float> Thresholds => _thresholds.View;

    /// <summary>The 16 values.</summary>
    public ArrayView<float> Values => _values.View;

    public void Dispose() => Closing.AttemptAll([_buckets.Dispose, _thresholds.Dispose, _values.Dispose]);
}
