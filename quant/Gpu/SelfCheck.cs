using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Fp8;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Quant.Gpu;

/// <summary>
/// Whether a device's arithmetic is the CPU's: subnormals kept, division correctly rounded, nothing fused. Drivers may do
/// otherwise within what OpenCL allows, and then every byte made there would be in doubt. Run once per session, in
/// milliseconds.
/// </summary>
internal static class SelfCheck
{
    private const int Blocksize = 32, UsualBlocks = 4096;

    /// <param name="session">Just opened.</param>
    /// <param name="blocks">Blocks of 32 values, at least 256 for every binade; few on a slow device.</param>
    /// <exception cref="GpuException">It is not; the text says in which operation.</exception>
    public static void Run(GpuSession session, int blocks = UsualBlocks)
    {
        float[] values = Values(blocks);
        Require(session, "the table of nf4", !session.Bench.HasFloat64 || SameBits(NormalFloat.Values(4), session.NormalFloatValues(4)));
        Require(session, "4-bit quantization", Quantize(values, session.Quantize4, out byte[] packed, out float[] absmax));
        Require(session, "4-bit dequantization", Dequantize(packed, absmax, session));
        Require(session, "int8 quantization", QuantizeRows(values, session));
        Require(session, "int8 dequantization", DequantizeRows(absmax, session));
        Require(session, "fp8 quantization", QuantizeFp8(values, session));
        Require(session, "int4 quantization", QuantizeGroups(values, session));
        Require(session, "int4 dequantization", DequantizeGroups(absmax, session));
        Require(session, "a search for scales", !session.HasFloat64 || Search(values, session));
        Require(session, "nested absmax", Nested(absmax, session));
        Require(session, "the product of 4-bit weights", SelfCheckProducts.Weights4(session));
        Require(session, "the product of fp8 weights", SelfCheckProducts.WeightsFp8(session));
        Require(session, "the product of integers", SelfCheckProducts.Integers(session));
    }

    private static void Require(GpuSession session, string operation, bool same)
    {
        if (same) return;
        throw new GpuException(
            $"{session.Device.Id} ({session.Device.Name}): {operation} does not give the bytes of the CPU; the device is not used");
    }

    // Every binade from subnormals to the largest, so that some reciprocal is hard to round and some overflows.
    private static float[] Values(int blocks)
    {
        var random = new Random(1);
        var values = new float[blocks * Blocksize];
        for (int block = 0; block < blocks; block++)
        {
            int exponent = block % 255;
            for (int i = 0; i < Blocksize; i++)
            {
                int fraction = random.Next(1 << 23), sign = random.Next(2) << 31;
                values[block * Blocksize + i] = BitConverter.Int32BitsToSingle(sign | (Math.Max(0, exponent - i % 7) << 23) | fraction);
            }
        }

        return values;
    }

    private static bool Quantize(
        float[] values,
        Func<Code4, ElementType, int, ReadOnlySpan<byte>, Span<float>, Span<byte>, bool> quantize,
        out byte[] packed,
        out float[] absmax)
    {
        packed = new byte[values.Length / 2];
        absmax = new float[values.Length / Blocksize];
        var expected = new byte[packed.Length];
        var expectedAbsmax = new float[values.Length / Blocksize];
        ReadOnlySpan<byte> source = MemoryMarshal.AsBytes<float>(values);
        bool same = true;
        foreach (Code4 code in Code4Catalog.All)
        {
            Quantize4.Run(code, ElementType.F32, Blocksize, source, expectedAbsmax, expected, KernelPath.Reference);
            quantize(code, ElementType.F32, Blocksize, source, absmax, packed);
            same &= expected.AsSpan().SequenceEqual(packed) && SameBits(expectedAbsmax, absmax);
        }

        return same;
    }

    private static bool Dequantize(byte[] packed, float[] absmax, GpuSession session)
    {
        bool same = true;
        foreach (ElementType type in Enum.GetValues<ElementType>())
        {
            var expected = new byte[packed.Length * 2 * type.Size()];
            var actual = new byte[expected.Length];
            Bnb.Quant.Blockwise.Dequantize4.Run(Code4Catalog.Nf4, Blocksize, type, packed, absmax, expected, KernelPath.Reference);
            session.Dequantize4(Code4Catalog.Nf4, Blocksize, type, packed, absmax, actual);
            same &= expected.AsSpan().SequenceEqual(actual);
        }

        return same;
    }

    private static bool DequantizeRows(float[] absmax, GpuSession session)
    {
        var codes = new sbyte[absmax.Length * Blocksize];
        new Random(2).NextBytes(MemoryMarshal.AsBytes(codes.AsSpan()));
        bool same = true;
        foreach (ElementType type in Enum.GetValues<ElementType>())
        {
            var expected = new byte[codes.Length * type.Size()];
            var actual = new byte[expected.Length];
            DequantizeRows8.Run(Blocksize, codes, absmax, type, expected, KernelPath.Reference);
            session.DequantizeInt8Rows(Blocksize, codes, absmax, type, actual);
            same &= expected.AsSpan().SequenceEqual(actual);
        }

        return same;
    }

    private static bool QuantizeRows(float[] values, GpuSession session)
    {
        ReadOnlySpan<byte> source = MemoryMarshal.AsBytes<float>(values);
        float[] absmax = new float[values.Length / Blocksize], expectedAbsmax = new float[absmax.Length];
        sbyte[] codes = new sbyte[values.Length], expected = new sbyte[values.Length];
        QuantizeRows8.Run(ElementType.F32, Blocksize, source, expectedAbsmax, expected, KernelPath.Reference);
        session.QuantizeInt8Rows(ElementType.F32, Blocksize, source, absmax, codes);
        return SameBits(expectedAbsmax, absmax) && expected.AsSpan().SequenceEqual(codes);
    }

    private static bool QuantizeFp8(float[] values, GpuSession session)
    {
        ReadOnlySpan<byte> source = MemoryMarshal.AsBytes<float>(values);
        byte[] scales = new byte[values.Length / Blocksize * sizeof(float)], expectedScales = new byte[scales.Length];
        byte[] codes = new byte[values.Length], expected = new byte[values.Length];
        QuantizeFp8Rows.Run(ElementType.F32, Blocksize, source, expectedScales, expected, KernelPath.Reference);
        session.QuantizeFp8(ElementType.F32, Blocksize, source, scales, codes);
        return expectedScales.AsSpan().SequenceEqual(scales) && expected.AsSpan().SequenceEqual(codes);
    }

    private static bool QuantizeGroups(float[] values, GpuSession session)
    {
        ReadOnlySpan<byte> source = MemoryMarshal.AsBytes<float>(values);
        byte[] scales = new byte[values.Length / Blocksize * sizeof(float)], expectedScales = new byte[scales.Length];
        byte[] packed = new byte[values.Length / 2], expected = new byte[packed.Length];
        sbyte[] zeros = new sbyte[values.Length / Blocksize], expectedZeros = new sbyte[values.Length / Blocksize];
        bool same = true;
        foreach (bool symmetric in (bool[])[true, false])
        {
            Span<sbyte> own = symmetric ? [] : zeros, wanted = symmetric ? [] : expectedZeros;
            QuantizeGroups4.Run(ElementType.F32, Blocksize, symmetric, source, expectedScales, wanted, expected, KernelPath.Reference);
            session.QuantizeInt4Groups(ElementType.F32, Blocksize, symmetric, source, scales, own, packed);
            same &= expectedScales.AsSpan().SequenceEqual(scales) && wanted.SequenceEqual(own) && expected.AsSpan().SequenceEqual(packed);
        }

        return same;
    }

    private static bool Search(float[] values, GpuSession session)
    {
        // From 2^-37 to 2^-5, as weights are, and what is searched at all.
        const int Blocks = 32, First = 90;
        ReadOnlySpan<byte> source = MemoryMarshal.AsBytes(values.AsSpan(First * Blocksize, Blocks * Blocksize));
        byte[] packed = new byte[Blocks * Blocksize / 2], expected = new byte[packed.Length];
        float[] scales = new float[Blocks], expectedScales = new float[Blocks];
        bool same = true;
        foreach (Code4 code in Code4Catalog.All)
        {
            SearchBlocks4.Run(code, ElementType.F32, Blocksize, source, default, expectedScales, expected, KernelPaths.Selected);
            session.SearchBlocks4(code, ElementType.F32, Blocksize, source, default, scales, packed);
            same &= expected.AsSpan().SequenceEqual(packed) && SameBits(expectedScales, scales);
        }

        return same;
    }

    private static bool DequantizeGroups(float[] scales, GpuSession session)
    {
        var packed = new byte[scales.Length * Blocksize / 2];
        new Random(3).NextBytes(packed);
        sbyte[] zeros = [.. Enumerable.Range(0, scales.Length).Select(group => (sbyte)(group % 16 - 8))];
        ReadOnlySpan<byte> stored = MemoryMarshal.AsBytes<float>(scales);
        byte[] expected = new byte[packed.Length * 4], actual = new byte[expected.Length];
        Bnb.Quant.Int4.DequantizeGroups4.Run(ElementType.F32, Blocksize, packed, stored, zeros, ElementType.BF16, expected, KernelPath.Reference);
        session.DequantizeInt4Groups(ElementType.F32, Blocksize, packed, stored, zeros, ElementType.BF16, actual);
        return expected.AsSpan().SequenceEqual(actual);
    }

    private static bool Nested(float[] absmax, GpuSession session)
    {
        // The largest absmax are so far apart from the others that only their neighbours tell anything.
        float[] part = absmax[..200];
        float mean = AbsmaxMean.Of(part);
        var codes = new byte[part.Length];
        var nested = new float[1];
        var expectedCodes = new byte[part.Length];
        var expectedNested = new float[1];
        NestedAbsmax.Quantize(part, mean, expectedCodes, expectedNested, KernelPath.Reference);
        session.QuantizeAbsmax(part, mean, codes, nested);
        var decoded = new float[part.Length];
        var expected = new float[part.Length];
        NestedAbsmax.Dequantize(expectedCodes, expectedNested, mean, expected);
        session.DequantizeAbsmax(codes, DynamicCode8.Values, nested, mean, decoded);
        return mean.Equals(session.MeanOfAbsmax(part))
            && expectedCodes.AsSpan().SequenceEqual(codes)
            && SameBits(expectedNested, nested)
            && SameBits(expected, decoded);
    }

    private static bool SameBits(float[] expected, float[] actual) =>
        MemoryMarshal.AsBytes<float>(expected).SequenceEqual(MemoryMarshal.AsBytes<float>(actual));
}
