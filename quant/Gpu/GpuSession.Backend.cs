using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gpu;

// What a backend does, with arguments that were checked, and what only tests and benchmarks ask for.
public abstract partial class GpuSession
{
    /// <summary>The kernel of <see cref="GpuProduct.TensorCores"/> with shuffles in place of the tensor cores, which tests use on
    /// the simulator. Warps of 32, k a multiple of 32, phase one of 16, a 16-bit type; nothing is checked.</summary>
    internal abstract float[] EmulateTensorCores(
        int m,
        int n,
        int k,
        ElementType type,
        ReadOnlySpan<byte> x,
        WeightFormat format,
        ReadOnlySpan<byte> codes,
        ReadOnlySpan<float> absmax);

    /// <summary>Seconds of a copy on the device.</summary>
    internal abstract double TimeCopy(long bytes, int rounds);

    /// <summary>Seconds of the quantization kernel, data on the device; a count of whole blocks.</summary>
    internal abstract double TimeQuantize4(Code4 code, ElementType type, int blocksize, long count, int rounds);

    /// <summary>Seconds of the dequantization kernel.</summary>
    internal abstract double TimeDequantize4(Code4 code, ElementType type, int blocksize, long count, int rounds);

    /// <summary>Seconds of the decoding of int8 rows.</summary>
    internal abstract double TimeDequantizeRows8(ElementType type, int columns, int rows, int rounds);

    /// <summary>Seconds of a product.</summary>
    internal abstract double TimeGemm(
        int m, int n, int k, ElementType type, WeightFormat format, GpuProduct product, int rounds);

    /// <summary>Seconds of the vendor's dense product, null when its library is not there.</summary>
    internal abstract double? TimeVendorGemm(int m, int n, int k, ElementType type, int rounds);

    private protected abstract bool RunQuantize4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed);

    private protected abstract void RunDequantize4(
        Code4 code, int blocksize, ElementType type, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination);

    private protected abstract bool RunQuantizeRows8(
        ElementType type, int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes);

    private protected abstract void RunDequantizeRows8(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, ElementType type, Span<byte> destination);

    private protected abstract void RunQuantize8(
        ReadOnlySpan<float> source, float offset, int blocksize, Span<byte> codes, Span<float> absmax);

    /// <summary>Without an offset nothing is added, which is not the same as adding 0 to -0.</summary>
    private protected abstract void RunDequantize8(
        ReadOnlySpan<byte> codes,
        ReadOnlySpan<float> map,
        int blocksize,
        ReadOnlySpan<float> absmax,
        float? offset,
        Span<float> destination);

    private protected abstract void RunBlockSums(ReadOnlySpan<float> absmax, Span<double> sums);

    private protected abstract void RunGemm(
        int m,
        int n,
        int k,
        ElementType type,
        ReadOnlySpan<byte> x,
        WeightFormat format,
        ReadOnlySpan<byte> codes,
        ReadOnlySpan<float> absmax,
        Span<float> y,
        GpuProduct product);

    /// <summary>Whether the device or its driver failed, and not this program.</summary>
    private protected abstract bool IsOfDevice(Exception error);

    /// <summary>What gives the device back, in this order. Each is run, whether those before it failed or not.</summary>
    private protected abstract IEnumerable<Action> ClosingSteps();
}
