using System.Runtime.InteropServices;
using Bnb.Quant.Gemm;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="Int8Gemm"/> with activations that were quantized before, on a device: exact integer sums, outlier
/// columns in the compute type. Without outliers the CPU's bits.</summary>
internal readonly ref struct Int8ProductOperation : IOperation
{
    private readonly Int8Activations _x;
    private readonly int _n;
    private readonly ReadOnlySpan<sbyte> _codes;
    private readonly ReadOnlySpan<float> _scb;
    private readonly Span<float> _y;

    public Int8ProductOperation(Int8Activations x, int n, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> scb, Span<float> y)
    {
        ArgumentNullException.ThrowIfNull(x);
        GemmShape.CheckDimensions(x.M, n, x.K);
        BlockGrid.CheckLength(nameof(codes), (long)n * x.K, codes.Length);
        BlockGrid.CheckLength(nameof(scb), n, scb.Length);
        BlockGrid.CheckLength(nameof(y), (long)x.M * n, y.Length);
        _x = x;
        _n = n;
        _codes = codes;
        _scb = scb;
        _y = y;
    }

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> x,
        ArrayView<byte> codes,
        ArrayView<float> scales,
        ArrayView<float> absmax,
        ArrayView<int> columns,
        ArrayView<float> outliers,
        ArrayView<float> y,
        ProductShape shape);

    public void Run(Workbench bench)
    {
        _y.Clear();
        if (_y.Length == 0 || _x.K == 0) return;
        long needed = _x.Codes.Length + _codes.Length + 4L * (_x.M + _n + _x.OutlierColumns.Length + _x.OutlierValues.Length + _y.Length);
        if (needed > bench.MaxDeviceMemoryBytes)
        {
            throw new GpuException(
                $"{bench.Device.Id}: the product needs {needed} bytes on the device, the limit is {bench.MaxDeviceMemoryBytes}");
        }

        using var x = bench.Upload(MemoryMarshal.AsBytes(_x.Codes));
        using var codes = bench.Upload(MemoryMarshal.AsBytes(_codes));
        using var scales = bench.Upload(MemoryMarshal.AsBytes(_x.Scales));
        using var absmax = bench.Upload(MemoryMarshal.AsBytes(_scb));
        using var columns = bench.Upload(MemoryMarshal.AsBytes(_x.OutlierColumns));
        using var outliers = bench.Upload(MemoryMarshal.AsBytes(_x.OutlierValues));
        using var y = bench.Accelerator.Allocate1D<float>(_y.Length);
        var grid = new Index2D(Workbench.Groups(_n, Int8GemmKernel.Tile), Workbench.Groups(_x.M, Int8GemmKernel.Tile));
        bench.Kernels.Get<Launcher>(typeof(Int8GemmKernel), KernelTypes.Of(_x.Type), bench.HasDp4a ? typeof(Dp4a) : typeof(ScalarDot4))(
            bench.Accelerator.DefaultStream,
            (grid, new Index2D(Int8GemmKernel.Threads, 1)),
            x.View,
            codes.View,
            scales.View.BaseView.Cast<float>(),
            absmax.View.BaseView.Cast<float>(),
            columns.View.BaseView.Cast<int>(),
            outliers.View.BaseView.Cast<float>(),
            y.View,
            new ProductShape { M = _x.M, N = _n, K = _x.K, Phase = _x.OutlierColumns.Length });
        bench.Accelerator.Synchronize();
        y.GetAsArray1D().CopyTo(_y);
    }
}
