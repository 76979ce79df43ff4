using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Fp8;
using Bnb.Quant.Gemm;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Engine.Devices;

/// <summary>
/// What runs a command's kernels: the CPU, or GPUs with the CPU beside them for what has no GPU kernel. Every operation but
/// the matrix product gives the same bytes on each; all may be called from several threads.
/// </summary>
internal abstract class ComputeEngine(KernelPath path) : IDisposable
{
    /// <summary>The CPU path, for everything that runs there.</summary>
    public KernelPath Path { get; } = path;

    /// <summary>As reports name it: <c>v512</c>, <c>cuda:0</c>.</summary>
    public abstract string Name { get; }

    /// <summary>What reports say about the choice; null when the user did not choose.</summary>
    public string? Note { get; init; }

    /// <summary>Values per unit of work that keep the device busy.</summary>
    public abstract int PreferredChunkValues { get; }

    /// <inheritdoc cref="Bnb.Quant.Blockwise.Quantize4.Run"/>
    public abstract bool Quantize4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed);

    /// <inheritdoc cref="NestedAbsmax.Quantize"/>
    public abstract void QuantizeAbsmax(ReadOnlySpan<float> absmax, float offset, Span<byte> codes, Span<float> nestedAbsmax);

    /// <inheritdoc cref="Bnb.Quant.Blockwise.Dequantize4.Run(Code4, int, ElementType, ReadOnlySpan{byte}, ReadOnlySpan{float}, Span{byte}, KernelPath)"/>
    public abstract void Dequantize4(
        Code4 code, int blocksize, ElementType type, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination);

    /// <inheritdoc cref="QuantizeRows8.Run"/>
    public abstract bool QuantizeInt8Rows(
        ElementType type, int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes);

    /// <inheritdoc cref="QuantizeFp8Rows.Run"/>
    public abstract bool QuantizeFp8(ElementType type, int columns, ReadOnlySpan<byte> source, Span<byte> scales, Span<byte> codes);

    /// <inheritdoc cref="DequantizeRows8.Run(int, ReadOnlySpan{sbyte}, ReadOnlySpan{float}, ElementType, Span{byte}, KernelPath)"/>
    public abstract void DequantizeInt8Rows(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, ElementType type, Span<byte> destination);

    /// <summary>y = x w^T as <see cref="MixedGemm4"/> computes it, for one caller's thread.</summary>
    /// <returns>The bound of |y - exact| for k products whose magnitudes sum to S.</returns>
    public abstract Func<int, double, double> Multiply4(
        int m, int n, int k, ElementType type, ReadOnlySpan<byte> x, Code4 code, int blocksize, int phase,
        ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<float> y);

    /// <inheritdoc cref="QuantizeGroups4.Run"/>
    public abstract bool QuantizeInt4Groups(
        ElementType type, int groupSize, bool symmetric, ReadOnlySpan<byte> source, Span<byte> scales, Span<sbyte> zeroPoints, Span<byte> packed);

    /// <inheritdoc cref="DequantizeGroups4.Run(ElementType, int, ReadOnlySpan{byte}, ReadOnlySpan{byte}, ReadOnlySpan{sbyte}, ElementType, Span{byte}, KernelPath)"/>
    public abstract void DequantizeInt4Groups(
        ElementType scaleType, int groupSize, ReadOnlySpan<byte> packed, ReadOnlySpan<byte> scales, ReadOnlySpan<sbyte> zeroPoints,
        ElementType type, Span<byte> destination);

    /// <summary>y = x w^T as <see cref="MixedGemmGroups4"/> computes it, for one caller's thread.</summary>
    /// <returns>The bound, as of <see cref="Multiply4"/>.</returns>
    public abstract Func<int, double, double> MultiplyInt4Groups(
        int m, int n, int k, ElementType type, ReadOnlySpan<byte> x, int groupSize, ElementType scaleType, ReadOnlySpan<byte> packed,
        ReadOnlySpan<byte> scales, ReadOnlySpan<sbyte> zeroPoints, Span<float> y);

    /// <summary>y = x w^T in float32 as <see cref="Sgemm"/> computes it, within <see cref="GemmBounds.ForFp32"/>.</summary>
    /// <param name="threads">On the CPU.</param>
    public abstract void Multiply(int m, int n, int k, ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> y, int threads);

    /// <summary>Whether <see cref="Multiply"/> is another unit's than the CPU's.</summary>
    public virtual bool HasDenseProducts => false;

    /// <summary>y = x w^T with E4M3 codes whose rows have a scale each, decoded in float32 and rounded once, to the type of x; for one
    /// caller's thread.</summary>
    /// <returns>The bound, as of <see cref="Multiply4"/>; null where there is no such kernel and nothing was done: CPUs multiply decoded
    /// weights.</returns>
    public virtual Func<int, double, double>? MultiplyFp8(
        int m, int n, int k, ElementType type, ReadOnlySpan<byte> x, ReadOnlySpan<byte> codes, ReadOnlySpan<float> scales, Span<float> y) => null;

    /// <summary>y = x w^T as <see cref="Int8Gemm"/> computes it, for one caller's thread; within
    /// <see cref="Int8GemmBounds"/>.</summary>
    public abstract void MultiplyInt8(
        Int8Activations x, int n, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> scb, Span<float> y);

    /// <summary>4-bit quantization of a whole tensor and of its absmax: <see cref="Quantize4"/>, <see cref="AbsmaxMean"/>
    /// and <see cref="QuantizeAbsmax"/> one after the other, with the same bytes.</summary>
    /// <param name="codes">One code per block.</param>
    /// <param name="nestedAbsmax">One float32 per 256 blocks.</param>
    /// <param name="offset">The mean of absmax. Where it is not finite, codes and nested absmax mean nothing.</param>
    /// <returns>Whether all values are finite.</returns>
    public virtual bool QuantizeNested4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<byte> packed, Span<byte> codes,
        Span<float> nestedAbsmax, out float offset)
    {
        var absmax = new float[codes.Length];
        bool finite = Quantize4(code, type, blocksize, source, absmax, packed);
        offset = AbsmaxMean.Of(absmax);
        QuantizeAbsmax(absmax, offset, codes, nestedAbsmax);
        return finite;
    }

    /// <summary>Why searches for scales run on the CPU although devices are open; null when they do not.</summary>
    public virtual string? NoSearch => null;

    /// <inheritdoc cref="SearchBlocks4.Run(Code4, ElementType, int, ReadOnlySpan{byte}, ColumnImportance, Span{float}, Span{byte}, KernelPath)"/>
    public virtual bool Search4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, ColumnImportance importance, Span<float> absmax, Span<byte> packed) =>
        SearchBlocks4.Run(code, type, blocksize, source, importance, absmax, packed, Path);

    /// <inheritdoc cref="SearchBlocks4.RunNested"/>
    public virtual bool SearchNested4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, ColumnImportance importance, Span<byte> nestedCodes,
        Span<float> nestedAbsmax, Span<byte> packed) =>
        SearchBlocks4.RunNested(code, type, blocksize, source, importance, nestedCodes, nestedAbsmax, packed, Path);

    /// <inheritdoc cref="SearchGroups4.Run"/>
    public virtual bool SearchInt4Groups(
        ElementType type, ElementType scaleType, int groupSize, ReadOnlySpan<byte> source, ColumnImportance importance, Span<byte> scales,
        Span<byte> packed) =>
        SearchGroups4.Run(type, scaleType, groupSize, source, importance, scales, packed, Path);

    /// <inheritdoc cref="SearchRows8.Run"/>
    public virtual bool SearchInt8Rows(
        ElementType type, int columns, ReadOnlySpan<byte> source, ColumnImportance importance, Span<float> scb, Span<sbyte> codes) =>
        SearchRows8.Run(type, columns, source, importance, scb, codes, Path);

    public virtual void Dispose()
    {
    }
}
