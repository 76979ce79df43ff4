using System.Diagnostics;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Operations;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Bnb.Quant.Gpu.Inspection;

/// <summary>Seconds of kernels alone, on data that are on the device already. For the benchmarks; no other operation of the
/// session may run meanwhile.</summary>
internal sealed class KernelTimer(GpuSession session)
{
    private readonly Workbench _bench = session.Bench;

    /// <summary>Launches in a round, so that waiting for the device counts little; on the simulator a launch takes long enough.</summary>
    private int Launches => _bench.Device.IsSimulator ? 1 : 10;

    private AcceleratorStream Stream => _bench.Accelerator.DefaultStream;

    /// <summary>A copy on the device.</summary>
    public double Copy(long bytes, int rounds)
    {
        using var from = _bench.Accelerator.Allocate1D<byte>(bytes);
        using var to = _bench.Accelerator.Allocate1D<byte>(bytes);
        from.MemSetToZero();
        return Best(rounds, () => from.View.CopyTo(Stream, to.View));
    }

    /// <summary>Quantization to 4 bits; a count of whole blocks.</summary>
    public double Quantize4(Code4 code, ElementType type, int blocksize, long count, int rounds)
    {
        using var source = Filled(count * type.Size());
        using var packed = _bench.Accelerator.Allocate1D<byte>(count / 2);
        using var absmax = _bench.Accelerator.Allocate1D<float>(BlockGrid.BlockCount(count, blocksize));
        var kernel = Quantize4Operation.Kernel(_bench, code, type, blocksize);
        return Best(rounds, () => kernel(Stream, source.View.BaseView, packed.View.BaseView, absmax.View.BaseView, count));
    }

    /// <summary>Dequantization of 4 bits.</summary>
    public double Dequantize4(Code4 code, ElementType type, int blocksize, long count, int rounds)
    {
        using var packed = Filled(count / 2);
        using var destination = _bench.Accelerator.Allocate1D<byte>(count * type.Size());
        using var absmax = _bench.Accelerator.Allocate1D<float>(BlockGrid.BlockCount(count, blocksize));
        absmax.MemSetToZero();
        var kernel = Dequantize4Operation.Kernel(_bench, code, type, blocksize);
        return Best(rounds, () => kernel(Stream, packed.View.BaseView, absmax.View.BaseView, destination.View.BaseView, count));
    }

    /// <summary>Decoding of int8 rows.</summary>
    public double DequantizeRows8(ElementType type, int columns, int rows, int rounds)
    {
        long count = (long)columns * rows;
        using var codes = Filled(count);
        using var destination = _bench.Accelerator.Allocate1D<byte>(count * type.Size());
        using var absmax = _bench.Accelerator.Allocate1D<float>(rows);
        absmax.MemSetToZero();
        var kernel = DequantizeRows8Operation.Kernel(_bench, type, columns);
        return Best(rounds, () => kernel(Stream, codes.View.BaseView, absmax.View.BaseView, destination.View.BaseView, count));
    }

    /// <summary>A product.</summary>
    public double Gemm(int m, int n, int k, ElementType type, WeightFormat format, GpuProduct product, int rounds)
    {
        using var x = Filled((long)m * k * type.Size());
        using var codes = Filled(format.CodeBytes((long)n * k));
        using var absmax = _bench.Accelerator.Allocate1D<float>(format.Scales(n, k));
        using var y = _bench.Accelerator.Allocate1D<float>((long)m * n);
        absmax.MemSetToZero();
        var operands = new ProductOperands(x.View, codes.View, absmax.View, y.View);
        ProductShape shape = ProductLaunch.ShapeOf(m, n, k, format);
        return Best(rounds, () => ProductLaunch.Start(_bench, shape, type, format, operands, product));
    }

    /// <summary>The vendor's dense product, null when its library is not there.</summary>
    public double? VendorGemm(int m, int n, int k, ElementType type, int rounds)
    {
        if (_bench.Accelerator is not CudaAccelerator cuda || CuBlas.Open(cuda) is not { } library) return null;
        using CuBlas cublas = library;
        using var x = Filled((long)m * k * type.Size());
        using var w = Filled((long)n * k * type.Size());
        using var y = _bench.Accelerator.Allocate1D<byte>((long)m * n * type.Size());
        return Best(rounds, () => cublas.Multiply(m, n, k, type, x.NativePtr, w.NativePtr, y.NativePtr));
    }

    /// <summary>Seconds of one launch in the best of some rounds, each of several launches, after one that is not counted.</summary>
    private double Best(int rounds, Action launch)
    {
        double best = double.PositiveInfinity;
        for (int round = -1; round < rounds; round++)
        {
            _bench.Accelerator.Synchronize();
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Launches; i++) launch();
            _bench.Accelerator.Synchronize();
            if (round >= 0) best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds / Launches);
        }

        return best;
    }

    /// <summary>Random bytes whose 16- and 32-bit values are finite and of ordinary size.</summary>
    private MemoryBuffer1D<byte, Stride1D.Dense> Filled(long bytes)
    {
        var part = new byte[Math.Min(bytes, 16 << 20)];
        new Random(1).NextBytes(part);
        for (int i = 1; i < part.Length; i += 2) part[i] = (byte)((part[i] & 0x83) | 0x38);
        var buffer = _bench.Accelerator.Allocate1D<byte>(bytes);
        for (long at = 0; at < bytes; at += part.Length)
        {
            long length = Math.Min(part.Length, bytes - at);
            buffer.View.SubView(at, length).CopyFromCPU(length == part.Length ? part : part[..(int)length]);
        }

        return buffer;
    }
}
