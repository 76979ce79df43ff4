using System.Runtime.InteropServices;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Bytes;

/// <summary>
/// What a weight must become, computed the slow way: the whole tensor at once, on the reference kernel, one value after the
/// other. Knows nothing of chunks, workers and memory.
/// </summary>
internal sealed record WholeTensorModel(Code4 Code, int Blocksize, bool DoubleQuant, bool Transpose)
{
    /// <summary>The weight and its companions but the quant_state blob, by name.</summary>
    public Dictionary<string, (DType DType, long[] Shape, byte[] Bytes)> Expected(TestTensor tensor)
    {
        (ElementType type, byte[] values) = Values(tensor);
        int count = values.Length / type.Size(), blocks = (count + Blocksize - 1) / Blocksize;
        float[] absmax = new float[blocks];
        byte[] packed = new byte[(count + 1) / 2];
        Quantize4.Run(Code, type, Blocksize, values, absmax, packed, KernelPath.Reference);

        var expected = new Dictionary<string, (DType, long[], byte[])>(StringComparer.Ordinal)
        {
            [tensor.Name] = (DType.U8, [packed.Length, 1], packed),
            [tensor.Name + ".quant_map"] = (DType.F32, [16], MemoryMarshal.AsBytes(Code.Values.Span).ToArray()),
        };
        if (!DoubleQuant)
        {
            expected[tensor.Name + ".absmax"] = (DType.F32, [blocks], MemoryMarshal.AsBytes<float>(absmax).ToArray());
            return expected;
        }

        byte[] codes = new byte[blocks];
        float[] nested = new float[(blocks + 255) / 256];
        NestedAbsmax.Quantize(absmax, Offset(absmax), codes, nested, KernelPath.Reference);
        expected[tensor.Name + ".absmax"] = (DType.U8, [blocks], codes);
        expected[tensor.Name + ".nested_absmax"] = (DType.F32, [nested.Length], MemoryMarshal.AsBytes<float>(nested).ToArray());
        expected[tensor.Name + ".nested_quant_map"] = (DType.F32, [256], MemoryMarshal.AsBytes(DynamicCode8.Values).ToArray());
        return expected;
    }

    /// <summary>The nested_offset of the quant_state blob.</summary>
    public float ExpectedOffset(TestTensor tensor)
    {
        (ElementType type, byte[] values) = Values(tensor);
        int count = values.Length / type.Size();
        float[] absmax = new float[(count + Blocksize - 1) / Blocksize];
        Quantize4.Run(Code, type, Blocksize, values, absmax, new byte[(count + 1) / 2], KernelPath.Reference);
        return Offset(absmax);
    }

    /// <summary>Float64 sums of 256 values each, then the sum of these, divided once: as docs/numerics.md defines it.</summary>
    private static float Offset(float[] absmax)
    {
        double sum = 0;
        foreach (float[] group in absmax.Chunk(256))
        {
            double partial = 0;
            foreach (float value in group) partial += value;
            sum += partial;
        }

        return (float)(sum / absmax.Length);
    }

    private (ElementType Type, byte[] Values) Values(TestTensor tensor) => DenseValues.Of(tensor, Transpose);
}
