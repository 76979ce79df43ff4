using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Fp8;
using Bnb.Quant.Gemm;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Devices;

/// <summary>The SIMD kernels of quant/Core.</summary>
internal sealed class CpuEngine(KernelPath path) : ComputeEngine(path)
{
    public override string Name => Path.ToString().ToLowerInvariant();

    /// <summary>512 KiB of bf16 stays in a core's L2 between reading and quantizing it.</summary>
    public const int ChunkValues = 1 << 18;

    public override int PreferredChunkValues => ChunkValues;

    public override bool Quantize4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed) =>
        Bnb.Quant.Blockwise.Quantize4.Run(code, type, blocksize, source, absmax, packed, Path);

    public override void QuantizeAbsmax(ReadOnlySpan<float> absmax, float offset, Span<byte> codes, Span<float> nestedAbsmax) =>
        NestedAbsmax.Quantize(absmax, offset, codes, nestedAbsmax, Path);

    public override void Dequantize4(
        Code4 code, int blocksize, ElementType type, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination) =>
        Bnb.Quant.Blockwise.Dequantize4.Run(code, blocksize, type, packed, absmax, destination, Path);

    public override bool QuantizeInt8Rows(
        ElementType type, int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes) =>
        QuantizeRows8.Run(type, columns, source, absmax, codes, Path);

    public override bool QuantizeFp8(ElementType type, int columns, ReadOnlySpan<byte> source, Span<byte> scales, Span<byte> codes) =>
        QuantizeFp8Rows.Run(type, columns, source, scales, codes, Path);

    public override void DequantizeInt8Rows(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, ElementType type, Span<byte> destination) =>
        DequantizeRows8.Run(columns, codes, absmax, type, destination, Path);

    public override void Multiply(int m, int n, int k, ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> y, int threads) =>
        Sgemm.Run(m, n, k, x, w, y, threads, Path);

    public override Func<int, double, double> Multiply4(
        int m, int n, int k, ElementType type, ReadOnlySpan<byte> x, Code4 code, int blocksize, int phase,
        ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<float> y)
    {
        MixedGemm4.Run(m, n, k, type, x, code, blocksize, phase, packed, absmax, y, threads: 1, Path);
        return GemmBounds.ForFp32;
    }

    public override bool QuantizeInt4Groups(
        ElementType type, int groupSize, bool symmetric, ReadOnlySpan<byte> source, Span<byte> scales, Span<sbyte> zeroPoints, Span<byte> packed) =>
        QuantizeGroups4.Run(type, groupSize, symmetric, source, scales, zeroPoints, packed, Path);

    public override void DequantizeInt4Groups(
        ElementType scaleType, int groupSize, ReadOnlySpan<byte> packed, ReadOnlySpan<byte> scales, ReadOnlySpan<sbyte> zeroPoints,
        ElementType type, Span<byte> destination) =>
        DequantizeGroups4.Run(scaleType, groupSize, packed, scales, zeroPoints, type, destination, Path);

    public override Func<int, double, double> MultiplyInt4Groups(
        int m, int n, int k, ElementType type, ReadOnlySpan<byte> x, int groupSize, ElementType scaleType, ReadOnlySpan<byte> packed,
        ReadOnlySpan<byte> scales, ReadOnlySpan<sbyte> zeroPoints, Span<float> y)
    {
        MixedGemmGroups4.Run(m, n, k, type, x, groupSize, scaleType, packed, scales, zeroPoints, y, threads: 1, Path);
        return GemmBounds.ForFp32;
    }

    public override void MultiplyInt8(
        Int8Activations x, int n, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> scb, Span<float> y) =>
        Int8Gemm.Run(x, n, codes, scb, y, threads: 1, Path);
}
