using System.Runtime.InteropServices;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;
using Bnb.Tool.Tests.Bytes;

namespace Bnb.Tool.Tests.Integers;

/// <summary>
/// What a weight must become as int8 or int4, computed the slow way: the whole tensor at once, on the reference kernel. Knows
/// nothing of chunks, stripes, workers and memory, and packs zero points by itself.
/// </summary>
/// <param name="GroupSize">Of int4; 0 for int8.</param>
internal sealed record WholeIntegerModel(int GroupSize = 0, bool Symmetric = true, bool Transpose = false)
{
    public IEnumerable<string> Options => GroupSize == 0
        ? ["--type", "int8"]
        : ["--type", "int4", "--group-size", $"{GroupSize}", "--symmetric", Symmetric ? "true" : "false"];

    public override string ToString() => GroupSize == 0 ? "int8" : $"int4 g{GroupSize} {(Symmetric ? "symmetric" : "asymmetric")}";

    /// <summary>All tensors that the weight becomes, by name.</summary>
    public Dictionary<string, (DType DType, long[] Shape, byte[] Bytes)> Expected(TestTensor tensor)
    {
        (ElementType type, byte[] values) = DenseValues.Of(tensor, Transpose);
        (long rows, long columns) = Transpose ? (tensor.Shape[1], tensor.Shape[0]) : (tensor.Shape[0], tensor.Shape[1]);
        string module = tensor.Name[..^".weight".Length];
        return GroupSize == 0 ? Int8(module, type, values, rows, columns) : Int4(module, type, values, rows, columns);
    }

    private static Dictionary<string, (DType, long[], byte[])> Int8(string module, ElementType type, byte[] values, long rows, long columns)
    {
        float[] absmax = new float[rows];
        sbyte[] codes = new sbyte[rows * columns];
        QuantizeRows8.Run(type, (int)columns, values, absmax, codes, KernelPath.Reference);
        return new(StringComparer.Ordinal)
        {
            [module + ".weight"] = (DType.I8, [rows, columns], MemoryMarshal.AsBytes<sbyte>(codes).ToArray()),
            [module + ".SCB"] = (DType.F32, [rows], MemoryMarshal.AsBytes<float>(absmax).ToArray()),
            [module + ".weight_format"] = (DType.U8, [], [0]),
        };
    }

    private Dictionary<string, (DType, long[], byte[])> Int4(string module, ElementType type, byte[] values, long rows, long columns)
    {
        long groups = columns / GroupSize, words = (rows + 7) / 8;
        byte[] packed = new byte[rows * columns / 2], scales = new byte[rows * groups * type.Size()];
        sbyte[] zeroPoints = new sbyte[Symmetric ? 0 : rows * groups];
        QuantizeGroups4.Run(type, GroupSize, Symmetric, values, scales, zeroPoints, packed, KernelPath.Reference);
        DType scaleType = type switch { ElementType.F16 => DType.F16, ElementType.BF16 => DType.BF16, _ => DType.F32 };
        var expected = new Dictionary<string, (DType, long[], byte[])>(StringComparer.Ordinal)
        {
            [module + ".weight_packed"] = (DType.I32, [rows, columns / 8], packed),
            [module + ".weight_scale"] = (scaleType, [rows, groups], scales),
            [module + ".weight_shape"] = (DType.I64, [2], MemoryMarshal.AsBytes<long>([rows, columns]).ToArray()),
        };
        if (Symmetric) return expected;
        // Eight rows a word, the first one lowest, each plus 8; rows that the last word lacks are 0.
        int[] stored = new int[words * groups];
        for (int i = 0; i < zeroPoints.Length; i++)
        {
            int row = (int)(i / groups), group = (int)(i % groups);
            stored[(row / 8 * groups) + group] |= (zeroPoints[i] + 8) << (row % 8 * 4);
        }

        expected[module + ".weight_zero_point"] = (DType.I32, [words, groups], MemoryMarshal.AsBytes<int>(stored).ToArray());
        return expected;
    }
}
