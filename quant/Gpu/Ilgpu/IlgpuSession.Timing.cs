using System.Diagnostics;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Bnb.Quant.Gpu;

// Kernels alone, on data that are on the device already. For the benchmarks.
internal sealed partial class IlgpuSession
{
    /// <summary>Launches in a round, so that waiting for the device counts little; on the simulator a launch takes long enough.</summary>
    private int Launches => Device.IsSimulator ? 1 : 10;

    internal override double TimeCopy(long bytes, int rounds)
    {
        using var from = _accelerator.Allocate1D<byte>(bytes);
        using var to = _accelerator.Allocate1D<byte>(bytes);
        from.MemSetToZero();
        AcceleratorStream stream = _accelerator.DefaultStream;
        return Best(rounds, () => from.View.CopyTo(stream, to.View));
    }

    internal override double TimeQuantize4(Code4 code, ElementType type, int blocksize, long count, int rounds)
    {
        using var source = Filled(count * type.Size());
        using var packed = _accelerator.Allocate1D<byte>(count / 2);
        using var absmax = _accelerator.Allocate1D<float>(BlockGrid.BlockCount(count, blocksize));
        QuantizeLauncher kernel = QuantizeKernel(code, type);
        (ArrayView<long> buckets, ArrayView<float> thresholds, _) = TablesOf(code);
        int units = checked((int)(count / Quantize4Kernel.Unit)), team = blocksize / Quantize4Kernel.Unit;
        int group = Math.Max(UsualGroup, team);
        return Best(rounds, () => kernel(
            _accelerator.DefaultStream,
            (Groups(units, group), group),
            source.View.BaseView.Cast<Quad>(),
            packed.View.BaseView.Cast<Pair>(),
            absmax.View,
            _nonFinite.View,
            buckets,
            thresholds,
            units,
            SpecializedValue.New(team)));
    }

    internal override double TimeDequantize4(Code4 code, ElementType type, int blocksize, long count, int rounds)
    {
        using var packed = Filled(count / 2);
        using var destination = _accelerator.Allocate1D<byte>(count * type.Size());
        using var absmax = _accelerator.Allocate1D<float>(BlockGrid.BlockCount(count, blocksize));
        absmax.MemSetToZero();
        var kernel = _kernels.Get<DequantizeLauncher>(typeof(Dequantize4Kernel), StoredOf(type));
        ArrayView<float> map = TablesOf(code).Values;
        int units = checked((int)(count / Dequantize4Kernel.Unit)), group = UsualGroup, shift = int.Log2(blocksize);
        return Best(rounds, () => kernel(
            _accelerator.DefaultStream,
            (Groups(units, group), group),
            packed.View.BaseView.Cast<int>(),
            absmax.View,
            map,
            destination.View.BaseView.Cast<Quad>(),
            units,
            shift));
    }

    internal override double TimeDequantizeRows8(ElementType type, int columns, int rows, int rounds)
    {
        long count = (long)columns * rows;
        using var codes = Filled(count);
        using var destination = _accelerator.Allocate1D<byte>(count * type.Size());
        using var absmax = _accelerator.Allocate1D<float>(rows);
        absmax.MemSetToZero();
        var kernel = _kernels.Get<RowsDecoder>(typeof(DequantizeRows8Kernel), StoredOf(type));
        int units = checked((int)(count / DequantizeRows8Kernel.Unit)), group = UsualGroup;
        return Best(rounds, () => kernel(
            _accelerator.DefaultStream,
            (Groups(units, group), group),
            codes.View,
            absmax.View,
            destination.View.BaseView.Cast<Quad>(),
            units,
            columns));
    }

    internal override double TimeGemm(
        int m, int n, int k, ElementType type, WeightFormat format, GpuProduct product, int rounds)
    {
        using var x = Filled((long)m * k * type.Size());
        using var codes = Filled(format.CodeBytes((long)n * k));
        using var absmax = _accelerator.Allocate1D<float>(format.Scales(n, k));
        using var y = _accelerator.Allocate1D<float>((long)m * n);
        absmax.MemSetToZero();
        var operands = new ProductOperands(x.View, codes.View, absmax.View, y.View);
        ProductShape shape = ShapeOf(m, n, k, format);
        return Best(rounds, () => Launch(_accelerator.DefaultStream, shape, type, format.Code, operands, product));
    }

    internal override double? TimeVendorGemm(int m, int n, int k, ElementType type, int rounds)
    {
        if (_accelerator is not CudaAccelerator cuda || CuBlas.Open(cuda) is not { } library) return null;
        using CuBlas cublas = library;
        using var x = Filled((long)m * k * type.Size());
        using var w = Filled((long)n * k * type.Size());
        using var y = _accelerator.Allocate1D<byte>((long)m * n * type.Size());
        return Best(rounds, () => cublas.Multiply(m, n, k, type, x.NativePtr, w.NativePtr, y.NativePtr));
    }

    /// <summary>Seconds of one launch in the best of some rounds, each of several launches, after one that is not counted.</summary>
    private double Best(int rounds, Action launch)
    {
        double best = double.PositiveInfinity;
        for (int round = -1; round < rounds; round++)
        {
            _accelerator.Synchronize();
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Launches; i++) launch();
            _accelerator.Synchronize();
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
        var buffer = _accelerator.Allocate1D<byte>(bytes);
        for (long at = 0; at < bytes; at += part.Length)
        {
            long length = Math.Min(part.Length, bytes - at);
            buffer.View.SubView(at, length).CopyFromCPU(length == part.Length ? part : part[..(int)length]);
        }

        return buffer;
    }
}
