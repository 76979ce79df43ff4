using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gpu;

/// <summary>
/// Whether a device's arithmetic is the CPU's: subnormals kept, division correctly rounded, nothing fused. Drivers may do
/// otherwise within what OpenCL allows, and then every byte made there would be in doubt. Run once per session, in
/// milliseconds.
/// </summary>
internal static class SelfCheck
{
    private const int Blocksize = 32, Blocks = 4096;

    /// <exception cref="GpuException">It is not; the text says in which operation.</exception>
    public static void Run(GpuSession session)
    {
        float[] values = Values();
        Require(session, "the table of nf4", !session.Bench.HasFloat64 || SameBits(NormalFloat.Values(4), session.NormalFloatValues(4)));
        Require(session, "4-bit quantization", Quantize(values, session.Quantize4, out byte[] packed, out float[] absmax));
        Require(session, "4-bit dequantization", Dequantize(packed, absmax, session));
        Require(session, "int8 dequantization", DequantizeRows(absmax, session));
        Require(session, "int4 quantization", QuantizeGroups(values, session));
        Require(session, "nested absmax", Nested(absmax, session));
    }

    private static void Require(GpuSession session, string operation, bool same)
    {
        if (same) return;
        throw new GpuException(
            $"{session.Device.Id} ({session.Device.Name}): {operation} does not give the bytes of the CPU; the device is not used");
    }

    // Every binade from subnormals to the largest, so that some reciprocal is hard to round and some overflows.
    private static float[] Values()
    {
        var random = new Random(1);
        var values = new float[Blocks * Blocksize];
        for (int block = 0; block < Blocks; block++)
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
        absmax = new float[Blocks];
        var expected = new byte[packed.Length];
        var expectedAbsmax = new float[Blocks];
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

    private static bool QuantizeGroups(float[] values, GpuSession session)
    {
        ReadOnlySpan<byte> source = MemoryMarshal.AsBytes<float>(values);
        byte[] scales = new byte[Blocks * sizeof(float)], expectedScales = new byte[scales.Length];
        byte[] packed = new byte[values.Length / 2], expected = new byte[packed.Length];
        sbyte[] zeros = new sbyte[Blocks], expectedZeros = new sbyte[Blocks];
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
