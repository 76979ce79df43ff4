using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Fp8;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Operations;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gpu;

/// <summary>
/// One open device with its kernels, streams and page-locked buffers. The operations have the contracts of their namesakes
/// in quant/Core and, but for the matrix products, give the same bytes. They stream: data of any length passes through
/// buffers whose sizes the memory limit bounds, while copying in, computing and copying out overlap.
/// </summary>
/// <remarks>Thread-safe: one operation runs at a time, further callers wait. A device error leaves the session unusable;
/// dispose it. Every operation is a type of its own, which checks its arguments before a device is touched; here is only
/// who may run when, and whose fault an error is.</remarks>
public sealed partial class GpuSession : IDisposable
{
    /// <summary>The smallest memory limit, 16 MiB.</summary>
    public const long SmallestMemory = 16L << 20;

    private readonly Lock _gate = new();
    private readonly Workbench _bench;
    private bool _disposed;

    private GpuSession(Workbench bench) => _bench = bench;

    /// <summary>The device.</summary>
    public GpuDevice Device => _bench.Device;

    /// <summary>The limit given when it was opened.</summary>
    public long MaxDeviceMemoryBytes => _bench.MaxDeviceMemoryBytes;

    /// <summary>Whether <see cref="GpuProduct.TensorCores"/> can be asked for.</summary>
    public bool HasTensorCores => _bench.HasTensorCores;

    /// <summary>Whether the device has float64, which searches for scales need.</summary>
    public bool HasFloat64 => _bench.HasFloat64;

    /// <summary>What tests change, and what kernels are timed on.</summary>
    internal Workbench Bench => _bench;

    /// <summary>The most columns that <see cref="QuantizeInt8Rows"/> takes, because a row must be on the device as a whole:
    /// what the memory limit allows, at least 1572863, and a buffer that 32 bits can count. Longer rows are for the
    /// CPU.</summary>
    /// <param name="type">The type of the values.</param>
    public int LongestRow(ElementType type) => _bench.LongestRow(type);

    /// <summary>Opens a device and checks its arithmetic.</summary>
    internal static GpuSession Open(GpuDevice device, long maxDeviceMemoryBytes)
    {
        var (context, accelerator) = DriverDevices.Open(device);
        var session = new GpuSession(new Workbench(device, context, accelerator, maxDeviceMemoryBytes));
        try
        {
            // The simulator is this CPU, and slow: its tests are the check.
            if (!device.IsSimulator) SelfCheck.Run(session);
        }
        catch
        {
            session.Dispose();
            throw;
        }

        return session;
    }

    /// <inheritdoc cref="Bnb.Quant.Blockwise.Quantize4.Run"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public bool Quantize4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
    {
        var operation = new Quantize4Operation(code, type, blocksize, source, absmax, packed);
        Run(ref operation);
        return operation.AllFinite;
    }

    /// <inheritdoc cref="Bnb.Quant.Blockwise.Dequantize4.Run(Code4, int, ElementType, ReadOnlySpan{byte}, ReadOnlySpan{float}, Span{byte}, KernelPath)"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public void Dequantize4(
        Code4 code, int blocksize, ElementType type, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination)
    {
        var operation = new Dequantize4Operation(code, blocksize, type, packed, absmax, destination);
        Run(ref operation);
    }

    /// <inheritdoc cref="QuantizeRows8.Run"/>
    /// <exception cref="GpuException">The device failed, or rows are longer than <see cref="LongestRow"/>.</exception>
    public bool QuantizeInt8Rows(
        ElementType type, int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes)
    {
        var operation = new QuantizeRows8Operation(type, columns, source, absmax, codes);
        Run(ref operation);
        return operation.AllFinite;
    }

    /// <inheritdoc cref="DequantizeRows8.Run(int, ReadOnlySpan{sbyte}, ReadOnlySpan{float}, ElementType, Span{byte}, KernelPath)"/>
    /// <remarks>Rows of any length: those that exceed a chunk are cut.</remarks>
    /// <exception cref="GpuException">The device failed.</exception>
    public void DequantizeInt8Rows(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, ElementType type, Span<byte> destination)
    {
        var operation = new DequantizeRows8Operation(columns, codes, absmax, type, destination);
        Run(ref operation);
    }

    /// <inheritdoc cref="Blockwise8.Quantize"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public void QuantizeBlockwise8(ReadOnlySpan<float> source, int blocksize, Span<byte> codes, Span<float> absmax)
    {
        var operation = new Quantize8Operation(source, offset: 0f, blocksize, codes, absmax);
        Run(ref operation);
    }

    /// <inheritdoc cref="Blockwise8.Dequantize"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public void DequantizeBlockwise8(
        ReadOnlySpan<byte> codes, int blocksize, ReadOnlySpan<float> absmax, Span<float> destination)
    {
        var operation = new Dequantize8Operation(codes, DynamicCode8.Values, blocksize, absmax, offset: null, destination);
        Run(ref operation);
    }

    /// <inheritdoc cref="AbsmaxMean.Of(ReadOnlySpan{float})"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public float MeanOfAbsmax(ReadOnlySpan<float> absmax)
    {
        var operation = new MeanOperation(absmax);
        Run(ref operation);
        return operation.Mean;
    }

    /// <summary>4-bit quantization of a whole tensor, the mean of its absmax, and their quantization, all on the device:
    /// <see cref="Quantize4"/>, <see cref="MeanOfAbsmax"/> and <see cref="QuantizeAbsmax"/> in one, with the same bytes.</summary>
    /// <param name="code">The 4-bit data type.</param>
    /// <param name="type">The type of the values.</param>
    /// <param name="blocksize">Values per block, a power of two from 32 to 4096.</param>
    /// <param name="source">The values, little-endian.</param>
    /// <param name="packed">One byte per two values.</param>
    /// <param name="codes">The 8-bit code of each block's absmax.</param>
    /// <param name="nestedAbsmax">One float32 per 256 of those.</param>
    /// <param name="offset">The mean of absmax; 0 of none.</param>
    /// <returns>Whether all values are finite.</returns>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The block size is not supported.</exception>
    /// <exception cref="GpuException">The device failed, or not <see cref="FitsNested"/>.</exception>
    public bool QuantizeNested4(
        Code4 code,
        ElementType type,
        int blocksize,
        ReadOnlySpan<byte> source,
        Span<byte> packed,
        Span<byte> codes,
        Span<float> nestedAbsmax,
        out float offset)
    {
        var operation = new QuantizeNested4Operation(code, type, blocksize, source, packed, codes, nestedAbsmax);
        Run(ref operation);
        offset = operation.Offset;
        return operation.AllFinite;
    }

    /// <summary>Whether the memory limit lets <see cref="QuantizeNested4"/> keep so many absmax on the device.</summary>
    public bool FitsNested(long blocks) => QuantizeNested4Operation.Fits(_bench, blocks);

    /// <inheritdoc cref="NestedAbsmax.Quantize"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public void QuantizeAbsmax(ReadOnlySpan<float> absmax, float offset, Span<byte> codes, Span<float> nestedAbsmax)
    {
        var operation = new Quantize8Operation(absmax, offset, NestedAbsmax.Blocksize, codes, nestedAbsmax);
        Run(ref operation);
    }

    /// <inheritdoc cref="NestedAbsmax.Dequantize(ReadOnlySpan{byte}, ReadOnlySpan{float}, ReadOnlySpan{float}, float, Span{float})"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public void DequantizeAbsmax(
        ReadOnlySpan<byte> codes, ReadOnlySpan<float> map, ReadOnlySpan<float> nestedAbsmax, float offset, Span<float> absmax)
    {
        var operation = new Dequantize8Operation(codes, map, NestedAbsmax.Blocksize, nestedAbsmax, offset, absmax);
        Run(ref operation);
    }

    /// <inheritdoc cref="QuantizeGroups4.Run"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public bool QuantizeInt4Groups(
        ElementType type, int groupSize, bool symmetric, ReadOnlySpan<byte> source, Span<byte> scales, Span<sbyte> zeroPoints, Span<byte> packed)
    {
        var operation = new QuantizeGroups4Operation(type, groupSize, symmetric, source, scales, zeroPoints, packed);
        Run(ref operation);
        return operation.AllFinite;
    }

    /// <summary>Whether <see cref="DequantizeInt4Groups"/> takes groups of this size: a chunk must hold one.</summary>
    public bool FitsGroup(long groupSize) => groupSize <= _bench.LargestChunk && groupSize * 5 <= _bench.RowMemory;

    /// <inheritdoc cref="DequantizeGroups4.Run(ElementType, int, ReadOnlySpan{byte}, ReadOnlySpan{byte}, ReadOnlySpan{sbyte}, ElementType, Span{byte}, KernelPath)"/>
    /// <exception cref="GpuException">The device failed, or not <see cref="FitsGroup"/>.</exception>
    public void DequantizeInt4Groups(
        ElementType scaleType,
        int groupSize,
        ReadOnlySpan<byte> packed,
        ReadOnlySpan<byte> scales,
        ReadOnlySpan<sbyte> zeroPoints,
        ElementType type,
        Span<byte> destination)
    {
        var operation = new DequantizeGroups4Operation(scaleType, groupSize, packed, scales, zeroPoints, type, destination);
        Run(ref operation);
    }

    /// <inheritdoc cref="QuantizeFp8Rows.Run"/>
    /// <exception cref="GpuException">The device failed, or a row is longer than <see cref="LongestRow"/>.</exception>
    public bool QuantizeFp8(ElementType type, int columns, ReadOnlySpan<byte> source, Span<byte> scales, Span<byte> codes)
    {
        var operation = new QuantizeFp8RowsOperation(type, columns, source, scales, codes);
        Run(ref operation);
        return operation.AllFinite;
    }

    /// <inheritdoc cref="NormalFloat.Values"/>
    /// <exception cref="GpuException">The device failed, or has no float64.</exception>
    public float[] NormalFloatValues(int bits)
    {
        var operation = new NormalFloatOperation(bits);
        Run(ref operation);
        return operation.Values;
    }

    /// <summary>Gives everything back that the device still lets go of. Never throws: after a device error most of the
    /// driver's calls fail, and what they say must not replace the error under way.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            _bench.Dispose();
        }
    }

    /// <summary>Runs an operation when those before it are done.</summary>
    /// <exception cref="GpuException">The device failed, or cannot do it.</exception>
    /// <exception cref="ObjectDisposedException">The session is closed.</exception>
    internal void Run<TOperation>(ref TOperation operation)
        where TOperation : IOperation, allows ref struct
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            try
            {
                operation.Run(_bench);
            }
            catch (Exception error) when (DriverErrors.Include(error))
            {
                throw new GpuException($"{Device.Id} ({Device.Name}): {error.Message}", error);
            }
        }
    }
}
