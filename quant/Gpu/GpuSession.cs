using System.Diagnostics.CodeAnalysis;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
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
/// dispose it. Arguments are checked here, before a device is touched.</remarks>
public abstract partial class GpuSession : IDisposable
{
    /// <summary>The smallest memory limit, 16 MiB.</summary>
    public const long SmallestMemory = 16L << 20;

    private readonly Lock _gate = new();
    private bool _disposed;

    private protected GpuSession(GpuDevice device, long maxDeviceMemoryBytes)
    {
        Device = device;
        MaxDeviceMemoryBytes = maxDeviceMemoryBytes;
    }

    /// <summary>The device.</summary>
    public GpuDevice Device { get; }

    /// <summary>The limit given when it was opened.</summary>
    public long MaxDeviceMemoryBytes { get; }

    /// <summary>The most values of a chunk, where memory allows them: enough to keep a device busy for longer than a launch
    /// takes, and far from every 32-bit index. A multiple of 4096; tests set it low to cut small data.</summary>
    internal int LargestChunk { get; set; } = 4 << 20;

    /// <summary>Whether <see cref="GpuProduct.TensorCores"/> can be asked for.</summary>
    public abstract bool HasTensorCores { get; }

    /// <summary>Device memory for the rows of a chunk, of which two are under way; the tables and the padding of the buffers
    /// take far less than the megabyte that is left for them.</summary>
    internal long RowMemory => (MaxDeviceMemoryBytes - (1 << 20)) / 2;

    /// <summary>The most columns that <see cref="QuantizeInt8Rows"/> takes, because a row must be on the device as a whole:
    /// what the memory limit allows, at least 1572863, and a buffer that 32 bits can count. Longer rows are for the
    /// CPU.</summary>
    /// <param name="type">The type of the values.</param>
    public int LongestRow(ElementType type) =>
        (int)Math.Min((RowMemory - sizeof(float)) / (type.Size() + 1), (int.MaxValue - 4096) / type.Size());

    /// <inheritdoc cref="Bnb.Quant.Blockwise.Quantize4.Run"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public bool Quantize4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
    {
        ArgumentNullException.ThrowIfNull(code);
        BlockGrid.CheckBlocksize(blocksize);
        int count = WholeValues(type, source.Length, nameof(source));
        BlockGrid.CheckLength(nameof(absmax), BlockGrid.BlockCount(count, blocksize), absmax.Length);
        BlockGrid.CheckLength(nameof(packed), ((long)count + 1) / 2, packed.Length);
        lock (_gate)
        {
            CheckOpen();
            try
            {
                return RunQuantize4(code, type, blocksize, source, absmax, packed);
            }
            catch (Exception error) when (IsOfDevice(error))
            {
                throw Failed(error);
            }
        }
    }

    /// <inheritdoc cref="Bnb.Quant.Blockwise.Dequantize4.Run(Code4, int, ElementType, ReadOnlySpan{byte}, ReadOnlySpan{float}, Span{byte}, KernelPath)"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public void Dequantize4(
        Code4 code, int blocksize, ElementType type, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(code);
        BlockGrid.CheckBlocksize(blocksize);
        int count = WholeValues(type, destination.Length, nameof(destination));
        BlockGrid.CheckLength(nameof(absmax), BlockGrid.BlockCount(count, blocksize), absmax.Length);
        BlockGrid.CheckLength(nameof(packed), ((long)count + 1) / 2, packed.Length);
        lock (_gate)
        {
            CheckOpen();
            try
            {
                RunDequantize4(code, blocksize, type, packed, absmax, destination);
            }
            catch (Exception error) when (IsOfDevice(error))
            {
                throw Failed(error);
            }
        }
    }

    /// <inheritdoc cref="QuantizeRows8.Run"/>
    /// <exception cref="GpuException">The device failed, or rows are longer than <see cref="LongestRow"/>.</exception>
    public bool QuantizeInt8Rows(
        ElementType type, int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        long count = (long)columns * absmax.Length;
        BlockGrid.CheckLength(nameof(codes), count, codes.Length);
        BlockGrid.CheckLength(nameof(source), count * type.Size(), source.Length);
        if (count > 0 && LongestRow(type) is var longest && columns > longest)
        {
            throw new GpuException(
                $"{Device.Id}: a row of {columns} values exceeds the memory limit of {MaxDeviceMemoryBytes} bytes, which allows {longest}");
        }

        lock (_gate)
        {
            CheckOpen();
            try
            {
                return RunQuantizeRows8(type, columns, source, absmax, codes);
            }
            catch (Exception error) when (IsOfDevice(error))
            {
                throw Failed(error);
            }
        }
    }

    /// <inheritdoc cref="DequantizeRows8.Run(int, ReadOnlySpan{sbyte}, ReadOnlySpan{float}, ElementType, Span{byte}, KernelPath)"/>
    /// <remarks>Rows of any length: those that exceed a chunk are cut.</remarks>
    /// <exception cref="GpuException">The device failed.</exception>
    public void DequantizeInt8Rows(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, ElementType type, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        BlockGrid.CheckLength(nameof(codes), (long)columns * absmax.Length, codes.Length);
        BlockGrid.CheckLength(nameof(destination), (long)codes.Length * type.Size(), destination.Length);
        lock (_gate)
        {
            CheckOpen();
            try
            {
                RunDequantizeRows8(columns, codes, absmax, type, destination);
            }
            catch (Exception error) when (IsOfDevice(error))
            {
                throw Failed(error);
            }
        }
    }

    /// <inheritdoc cref="Blockwise8.Quantize"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public void QuantizeBlockwise8(ReadOnlySpan<float> source, int blocksize, Span<byte> codes, Span<float> absmax)
    {
        Check8(source.Length, blocksize, codes.Length, absmax.Length);
        lock (_gate)
        {
            CheckOpen();
            try
            {
                RunQuantize8(source, 0f, blocksize, codes, absmax);
            }
            catch (Exception error) when (IsOfDevice(error))
            {
                throw Failed(error);
            }
        }
    }

    /// <inheritdoc cref="Blockwise8.Dequantize"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public void DequantizeBlockwise8(
        ReadOnlySpan<byte> codes, int blocksize, ReadOnlySpan<float> absmax, Span<float> destination)
    {
        Check8(destination.Length, blocksize, codes.Length, absmax.Length);
        lock (_gate)
        {
            CheckOpen();
            try
            {
                RunDequantize8(codes, DynamicCode8.Values, blocksize, absmax, null, destination);
            }
            catch (Exception error) when (IsOfDevice(error))
            {
                throw Failed(error);
            }
        }
    }

    /// <inheritdoc cref="AbsmaxMean.Of(ReadOnlySpan{float})"/>
    /// <remarks>The partial sums come from the device where it has float64, and from the CPU where not; the same bits.</remarks>
    /// <exception cref="GpuException">The device failed.</exception>
    public float MeanOfAbsmax(ReadOnlySpan<float> absmax)
    {
        var sums = new double[BlockGrid.BlockCount(absmax.Length, Bnb.Quant.Nested.NestedAbsmax.Blocksize)];
        lock (_gate)
        {
            CheckOpen();
            try
            {
                RunBlockSums(absmax, sums);
            }
            catch (Exception error) when (IsOfDevice(error))
            {
                throw Failed(error);
            }
        }

        return AbsmaxMean.Of(sums, absmax.Length);
    }

    /// <inheritdoc cref="Bnb.Quant.Nested.NestedAbsmax.Quantize"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public void QuantizeAbsmax(ReadOnlySpan<float> absmax, float offset, Span<byte> codes, Span<float> nestedAbsmax)
    {
        Check8(absmax.Length, Bnb.Quant.Nested.NestedAbsmax.Blocksize, codes.Length, nestedAbsmax.Length);
        lock (_gate)
        {
            CheckOpen();
            try
            {
                RunQuantize8(absmax, offset, Bnb.Quant.Nested.NestedAbsmax.Blocksize, codes, nestedAbsmax);
            }
            catch (Exception error) when (IsOfDevice(error))
            {
                throw Failed(error);
            }
        }
    }

    /// <inheritdoc cref="Bnb.Quant.Nested.NestedAbsmax.Dequantize(ReadOnlySpan{byte}, ReadOnlySpan{float}, ReadOnlySpan{float}, float, Span{float})"/>
    /// <exception cref="GpuException">The device failed.</exception>
    public void DequantizeAbsmax(
        ReadOnlySpan<byte> codes, ReadOnlySpan<float> map, ReadOnlySpan<float> nestedAbsmax, float offset, Span<float> absmax)
    {
        Check8(absmax.Length, Bnb.Quant.Nested.NestedAbsmax.Blocksize, codes.Length, nestedAbsmax.Length);
        BlockGrid.CheckLength(nameof(map), DynamicCode8.Values.Length, map.Length);
        lock (_gate)
        {
            CheckOpen();
            try
            {
                RunDequantize8(codes, map, Bnb.Quant.Nested.NestedAbsmax.Blocksize, nestedAbsmax, offset, absmax);
            }
            catch (Exception error) when (IsOfDevice(error))
            {
                throw Failed(error);
            }
        }
    }

    /// <summary>Gives everything back that the device still lets go of. Never throws: after a device error most of the
    /// driver's calls fail, and what they say must not replace the error under way.</summary>
    [SuppressMessage("Usage", "CA1816", Justification = "No finalizer here or in any derived class.")]
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            foreach (Action step in ClosingSteps()) Attempt(step);
        }
    }

    /// <summary>Runs a step of giving something back, whatever becomes of it.</summary>
    internal static void Attempt(Action step)
    {
        try
        {
            step();
        }
        catch (Exception)
        {
            // What the driver refuses to free it frees with the process.
        }
    }

    private GpuException Failed(Exception error) => new($"{Device.Id} ({Device.Name}): {error.Message}", error);

    private void CheckOpen() => ObjectDisposedException.ThrowIf(_disposed, this);

    private static int WholeValues(ElementType type, int bytes, string name)
    {
        int size = type.Size();
        return bytes % size == 0 ? bytes / size : throw new ArgumentException($"{bytes} bytes are not whole values of {type}", name);
    }

    private static void Check8(int count, int blocksize, int codes, int absmax)
    {
        BlockGrid.CheckBlocksize(blocksize);
        BlockGrid.CheckLength(nameof(codes), count, codes);
        BlockGrid.CheckLength(nameof(absmax), BlockGrid.BlockCount(count, blocksize), absmax);
    }
}
