using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.Quant.Search;

namespace Bnb.Quant.Tests.Search;

/// <summary>A searched run: packed codes, scales as they decode, and what is stored of them.</summary>
internal sealed record Searched(byte[] Packed, float[] Scales, byte[] NestedCodes, float[] GroupAbsmax, bool Finite)
{
    public static Searched Run(
        Code4 code, ElementType type, int blocksize, bool nested, ReadOnlySpan<byte> source, KernelPath path, float[]? importance = null, long first = 0)
    {
        int count = source.Length / type.Size(), blocks = (int)BlockGrid.BlockCount(count, blocksize);
        var packed = new byte[(count + 1) / 2];
        var scales = new float[blocks];
        if (!nested)
        {
            bool isFinite = SearchBlocks4.Run(code, type, blocksize, source, new ColumnImportance(importance, first), scales, packed, path);
            return new Searched(packed, scales, [], [], isFinite);
        }

        var codes = new byte[blocks];
        var nestedAbsmax = new float[BlockGrid.BlockCount(blocks, NestedAbsmax.Blocksize)];
        bool finite = SearchBlocks4.RunNested(
            code, type, blocksize, source, new ColumnImportance(importance, first), codes, nestedAbsmax, packed, path);
        NestedAbsmax.Dequantize(codes, nestedAbsmax, 0f, scales);
        return new Searched(packed, scales, codes, nestedAbsmax, finite);
    }

    /// <summary>Sum of weight * (x - decoded)^2, in plain order.</summary>
    public double Error(Code4 code, int blocksize, float[] values, float[]? importance = null)
    {
        double sum = 0;
        for (int i = 0; i < values.Length; i++)
        {
            double decoded = (double)code.Values.Span[(Packed[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15] * Scales[i / blocksize];
            sum += (values[i] - decoded) * (values[i] - decoded) * (importance is null ? 1 : importance[i % importance.Length]);
        }

        return sum;
    }

    public static void AssertEqual(Searched expected, Searched actual, string what)
    {
        Assert.True(expected.Finite == actual.Finite, what);
        if (!expected.Finite) return;
        Assert.True(expected.Scales.AsSpan().SequenceEqual(actual.Scales), $"{what}: scale {expected.Scales.AsSpan().CommonPrefixLength(actual.Scales)}");
        Assert.True(expected.NestedCodes.AsSpan().SequenceEqual(actual.NestedCodes), $"{what}: nested codes");
        Assert.True(expected.GroupAbsmax.AsSpan().SequenceEqual(actual.GroupAbsmax), $"{what}: nested absmax");
        Assert.True(expected.Packed.AsSpan().SequenceEqual(actual.Packed), $"{what}: byte {expected.Packed.AsSpan().CommonPrefixLength(actual.Packed)}");
    }
}
