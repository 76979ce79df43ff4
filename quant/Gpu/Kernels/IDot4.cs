using ILGPU.Runtime.Cuda;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>Four signed products of bytes, added to a sum.</summary>
internal interface IDot4
{
    /// <summary>sum + a0 * b0 + a1 * b1 + a2 * b2 + a3 * b3 for the four bytes of either word.</summary>
    static abstract int Add(int a, int b, int sum);
}

/// <summary>With shifts and multiplications: any device, and what dp4a is documented to give.</summary>
internal readonly struct ScalarDot4 : IDot4
{
    public static int Add(int a, int b, int sum) => sum
        + Byte(a, 24) * Byte(b, 24) + Byte(a, 16) * Byte(b, 16) + Byte(a, 8) * Byte(b, 8) + Byte(a, 0) * Byte(b, 0);

    private static int Byte(int word, int left) => (word << left) >> 24;
}

/// <summary>dp4a: CUDA devices of compute capability 6.1 and above.</summary>
internal readonly struct Dp4a : IDot4
{
    public static int Add(int a, int b, int sum)
    {
        CudaAsm.Emit("dp4a.s32.s32 %0, %1, %2, %3;", out int result, a, b, sum);
        return result;
    }
}
