namespace Bnb.Quant.Gpu.Operations;

/// <summary>The kernels of a matrix product.</summary>
public enum GpuProduct
{
    /// <summary>Tensor cores where the device has them and the type is 16-bit, else tiles; one row always as a row.</summary>
    Auto,

    /// <summary>The portable kernel: float32 multiplications and additions.</summary>
    Tiled,

    /// <summary>mma.sync on CUDA devices of compute capability 8.0 and above, for F16 and BF16.</summary>
    TensorCores,
}
