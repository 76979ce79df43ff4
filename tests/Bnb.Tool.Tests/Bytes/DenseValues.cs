using System.Runtime.InteropServices;
using Bnb.Quant.Numerics;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Bytes;

/// <summary>The whole weight as kernels take it: F64 rounded to F32, Conv1D transposed.</summary>
internal static class DenseValues
{
    public static (ElementType Type, byte[] Values) Of(TestTensor tensor, bool transpose)
    {
        byte[] data = transpose ? Transposed(tensor) : tensor.Data;
        return tensor.DType switch
        {
            "F16" => (ElementType.F16, data),
            "BF16" => (ElementType.BF16, data),
            "F32" => (ElementType.F32, data),
            _ => (ElementType.F32, Narrowed(data)),
        };
    }

    private static byte[] Narrowed(byte[] doubles) =>
        MemoryMarshal.AsBytes<float>(MemoryMarshal.Cast<byte, double>(doubles).ToArray().Select(value => (float)value).ToArray()).ToArray();

    private static byte[] Transposed(TestTensor tensor)
    {
        int size = RandomWeights.SizeOf(tensor.DType);
        int stored = (int)tensor.Shape[0], width = (int)tensor.Shape[1];
        byte[] transposed = new byte[tensor.Data.Length];
        for (int row = 0; row < width; row++)
            for (int column = 0; column < stored; column++)
                tensor.Data.AsSpan(((column * width) + row) * size, size).CopyTo(transposed.AsSpan(((row * stored) + column) * size));
        return transposed;
    }
}
