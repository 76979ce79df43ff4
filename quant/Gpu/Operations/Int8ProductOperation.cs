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

    private delegate void DotLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> x,
        ArrayView<byte> codes,
        ArrayView<float> scales,
        ArrayView<float> absmax,
        ArrayView<float> y,
        ProductShape shape,
        int stepsPerSum);

    private delegate void TensorLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> x,
        long xAddress,
        ArrayView<byte> codes,
        long codesAddress,
        ArrayView<float> scales,
        ArrayView<float> absmax,
        ArrayView<float> y,
        long address,
        ArrayView<int> work,
        ProductShape shape);

    private delegate void OutlierLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<int> columns,
        ArrayView<float> outliers,
        ArrayView<float> y,
        ProductShape shape);

    /// <summary>The kernel of the tensor cores with software in their place, on any device with warps of 32.</summary>
    public bool Emulated { get; init; }

    /// <summary>See <see cref="Int8GemmKernel.StepsPerSum"/>; less in tests.</summary>
    public int StepsPerSum { get; init; } = Int8GemmKernel.StepsPerSum;

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
        using var y = bench.Accelerator.Allocate1D<float>(_y.Length);
        var shape = new ProductShape { M = _x.M, N = _n, K = _x.K };
        var operands = new ProductOperands(x.View, codes.View, absmax.View.BaseView.Cast<float>(), y.View);
        ArrayView<float> rowScales = scales.View.BaseView.Cast<float>();
        if (Emulated) Emulate(bench, shape, operands, rowScales);
        else if (bench.HasTensorCores && shape.K <= Int8TensorKernel.MostColumns) StartTensor(bench, shape, typeof(MmaS8), operands, rowScales, ArrayView<int>.Empty);
        else StartDot(bench, shape, operands, rowScales);
        if (!_x.OutlierColumns.IsEmpty) AddOutliers(bench, shape, operands);
        bench.Accelerator.Synchronize();
        y.GetAsArray1D().CopyTo(_y);
    }

    private static void StartTensor(
        Workbench bench, ProductShape shape, Type unit, ProductOperands operands, ArrayView<float> scales, ArrayView<int> work)
    {
        var grid = new Index2D(Workbench.Groups(shape.N, Int8TensorKernel.Tile), Workbench.Groups(shape.M, Int8TensorKernel.Tile));
        bench.Kernels.Get<TensorLauncher>(typeof(Int8TensorKernel), unit)(
            bench.Accelerator.DefaultStream,
            (grid, new Index2D(Int8TensorKernel.Threads, 1)),
            operands.X,
            operands.X.LoadEffectiveAddressAsPtr().ToInt64(),
            operands.Codes,
            operands.Codes.LoadEffectiveAddressAsPtr().ToInt64(),
            scales,
            operands.Absmax,
            operands.Y,
            operands.Y.LoadEffectiveAddressAsPtr().ToInt64(),
            work,
            shape);
    }

    private static void Emulate(Workbench bench, ProductShape shape, ProductOperands operands, ArrayView<float> scales)
    {
        long groups = (long)Workbench.Groups(shape.N, Int8TensorKernel.Tile) * Workbench.Groups(shape.M, Int8TensorKernel.Tile);
        using var work = bench.Accelerator.Allocate1D<int>(groups * Int8TensorKernel.OwnPerGroup);
        StartTensor(bench, shape, typeof(MmaS8InSoftware), operands, scales, work.View);
        bench.Accelerator.Synchronize();
    }

    private void StartDot(Workbench bench, ProductShape shape, ProductOperands operands, ArrayView<float> scales)
    {
        var grid = new Index2D(Workbench.Groups(shape.N, Int8GemmKernel.Tile), Workbench.Groups(shape.M, Int8GemmKernel.Tile));
        bench.Kernels.Get<DotLauncher>(typeof(Int8GemmKernel), bench.HasDp4a ? typeof(Dp4a) : typeof(ScalarDot4))(
            bench.Accelerator.DefaultStream,
            (grid, new Index2D(Int8GemmKernel.Threads, 1)),
            operands.X,
            operands.Codes,
            scales,
            operands.Absmax,
            operands.Y,
            shape,
            StepsPerSum);
    }

    private void AddOutliers(Workbench bench, ProductShape shape, ProductOperands operands)
    {
        using var columns = bench.Upload(MemoryMarshal.AsBytes(_x.OutlierColumns));
        using var values = bench.Upload(MemoryMarshal.AsBytes(_x.OutlierValues));
        int group = bench.UsualGroup;
        var grid = new Index2D(Workbench.Groups(shape.N, group), Workbench.Groups(shape.M, OutlierColumnsKernel.Rows));
        bench.Kernels.Get<OutlierLauncher>(typeof(OutlierColumnsKernel), KernelTypes.Of(_x.Type))(
            bench.Accelerator.DefaultStream,
            (grid, new Index2D(group, 1)),
            operands.Codes,
            operands.Absmax,
            columns.View.BaseView.Cast<int>().SubView(0, _x.OutlierColumns.Length),
            values.View.BaseView.Cast<float>(),
            operands.Y,
            shape);
        bench.Accelerator.Synchronize();
    }
}
