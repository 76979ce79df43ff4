using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Runtime;

/// <summary>A word on the device that kernels set to 1.</summary>
internal sealed class Flag(Accelerator accelerator) : IDisposable
{
    private readonly MemoryBuffer1D<int, Stride1D.Dense> _word = accelerator.Allocate1D<int>(1);

    /// <summary>For kernels.</summary>
    public ArrayView<int> View => _word.View;

    /// <summary>Waits for the device.</summary>
    public bool IsSet => _word.GetAsArray1D()[0] != 0;

    /// <summary>Sets it to 0 and waits, because the kernels run in other streams.</summary>
    public void Clear()
    {
        _word.MemSetToZero();
        accelerator.Synchronize();
    }

    public void Dispose() => _word.Dispose();
}
