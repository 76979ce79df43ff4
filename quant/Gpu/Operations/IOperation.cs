using Bnb.Quant.Gpu.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary>One operation with its operands. Its constructor checks them, before a device is touched.</summary>
internal interface IOperation
{
    /// <summary>Does it, to the end. What it throws besides <c>GpuException</c> is told apart by who runs it.</summary>
    void Run(Workbench bench);
}
