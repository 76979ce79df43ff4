using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Tests;

/// <summary>What one run of the row-wise 8-bit kernel wrote. Absmax is kept as bits, so that equality is equality of bytes.</summary>
internal sealed record QuantizedRows(sbyte[] Codes, int[] AbsmaxBits, bool Finite)
{
    public float[] Absmax => [.. AbsmaxBits.Select(BitConverter.Int32BitsToSingle)];
}

/// <summary>Runs the row-wise 8-bit kernels between canaries and compares.</summary>
internal static class Rows8
{
    private const int Margin = 128;

    /// <summary>Quantizes and checks that nothing was written outside the result.</summary>
    public static QuantizedRows Run(ElementType type, int columns, ReadOnlySpan<byte> source, KernelPath path)
    {
        int rows = source.Length / type.Size() / columns;
        var codes = new sbyte[rows * columns + 2 * Margin];
        var absmax = new float[rows + 2 * Margin];
        Array.Fill(codes, (sbyte)0x55);
        Array.Fill(absmax, 123.25f);
        bool finite = QuantizeRows8.Run(
            type, columns, source, absmax.AsSpan(Margin, rows), codes.AsSpan(Margin, rows * columns), path);
        Assert.All((sbyte[])[.. codes[..Margin], .. codes[^Margin..]], value => Assert.Equal(0x55, value));
        Assert.All((float[])[.. absmax[..Margin], .. absmax[^Margin..]], value => Assert.Equal(123.25f, value));
        int[] bits = [.. MemoryMarshal.Cast<float, int>(absmax.AsSpan()[Margin..^Margin])];
        return new QuantizedRows(codes[Margin..^Margin], bits, finite);
    }

    /// <summary>One row on a path.</summary>
    public static QuantizedRows RunRow(ElementType type, KernelPath path, params float[] values) =>
        Run(type, values.Length, Kernels.Store(type, values), path);

    /// <summary>Fails unless every fast path gives the bytes of the reference.</summary>
    public static void AssertPathsAgree(ElementType type, int columns, ReadOnlySpan<byte> source, string what)
    {
        QuantizedRows expected = Run(type, columns, source, KernelPath.Reference);
        foreach (KernelPath path in Kernels.FastPaths)
        {
            QuantizedRows actual = Run(type, columns, source, path);
            string place = $"{what} {type} {columns} columns on {path}";
            int same = expected.AbsmaxBits.AsSpan().CommonPrefixLength(actual.AbsmaxBits);
            Assert.True(same == expected.AbsmaxBits.Length, $"{place}: absmax {same}");
            same = expected.Codes.AsSpan().CommonPrefixLength(actual.Codes);
            Assert.True(same == expected.Codes.Length, $"{place}: code {same} of {expected.Codes.Length}");
            Assert.True(expected.Finite == actual.Finite, $"{place}: finite {actual.Finite}");
        }
    }

    /// <summary>Decodes and checks that nothing was written outside the result.</summary>
    public static byte[] Decode(ElementType type, int columns, sbyte[] codes, float[] absmax, KernelPath path)
    {
        var stored = new byte[codes.Length * type.Size() + 2 * Margin];
        Array.Fill(stored, (byte)0xA5);
        DequantizeRows8.Run(columns, codes, absmax, type, stored.AsSpan()[Margin..^Margin], path);
        Assert.All((byte[])[.. stored[..Margin], .. stored[^Margin..]], value => Assert.Equal(0xA5, value));
        return stored[Margin..^Margin];
    }
}
