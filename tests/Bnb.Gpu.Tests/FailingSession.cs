using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu;
using Bnb.Quant.Numerics;

namespace Bnb.Gpu.Tests;

/// <summary>A session whose every operation fails with the given exception, of the device when it is of
/// <see cref="DriverFailure"/>, and of whose two closing steps the first fails.</summary>
internal sealed class FailingSession(Exception failure)
    : GpuSession(new GpuDevice("cuda:7", "cuda", "Broken", 0, "", IsSimulator: false, Unusable: null), SmallestMemory)
{
    /// <summary>What the driver's layer throws.</summary>
    public sealed class DriverFailure() : Exception("an illegal memory access was encountered");

    public bool ClosedToTheEnd { get; private set; }

    public override bool HasTensorCores => false;

    internal override float[] EmulateTensorCores(
        int m, int n, int k, ElementType type, ReadOnlySpan<byte> x, WeightFormat format, ReadOnlySpan<byte> codes,
        ReadOnlySpan<float> absmax) => throw failure;

    internal override double TimeCopy(long bytes, int rounds) => throw failure;

    internal override double TimeQuantize4(Code4 code, ElementType type, int blocksize, long count, int rounds) => throw failure;

    internal override double TimeDequantize4(Code4 code, ElementType type, int blocksize, long count, int rounds) => throw failure;

    internal override double TimeDequantizeRows8(ElementType type, int columns, int rows, int rounds) => throw failure;

    internal override double TimeGemm(
        int m, int n, int k, ElementType type, WeightFormat format, GpuProduct product, int rounds) => throw failure;

    internal override double? TimeVendorGemm(int m, int n, int k, ElementType type, int rounds) => throw failure;

    private protected override bool RunQuantize4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed) => throw failure;

    private protected override void RunDequantize4(
        Code4 code, int blocksize, ElementType type, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination) =>
        throw failure;

    private protected override bool RunQuantizeRows8(
        ElementType type, int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes) => throw failure;

    private protected override void RunDequantizeRows8(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, ElementType type, Span<byte> destination) => throw failure;

    private protected override void RunQuantize8(
        ReadOnlySpan<float> source, float offset, int blocksize, Span<byte> codes, Span<float> absmax) => throw failure;

    private protected override void RunDequantize8(
        ReadOnlySpan<byte> codes, ReadOnlySpan<float> map, int blocksize, ReadOnlySpan<float> absmax, float? offset,
        Span<float> destination) => throw failure;

    private protected override void RunBlockSums(ReadOnlySpan<float> absmax, Span<double> sums) => throw failure;

    private protected override void RunGemm(
        int m, int n, int k, ElementType type, ReadOnlySpan<byte> x, WeightFormat format, ReadOnlySpan<byte> codes,
        ReadOnlySpan<float> absmax, Span<float> y, GpuProduct product) => throw failure;

    private protected override bool IsOfDevice(Exception error) => error is DriverFailure;

    private protected override IEnumerable<Action> ClosingSteps() => [() => throw failure, () => ClosedToTheEnd = true];
}
