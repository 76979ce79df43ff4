using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary>Starts the kernel that fits the shape of a product whose operands are on the device.</summary>
internal static class ProductLaunch
{
    private delegate void TensorLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> x,
        long xAddress,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<float> y,
        long address,
        ArrayView<int> work,
        ProductShape shape);

    private delegate void GemvLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<Quad> x,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<float> y,
        ProductShape shape);

    private delegate void TiledLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> x,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<float> y,
        ProductShape shape);

    /// <summary>The shape as kernels take it.</summary>
    public static ProductShape ShapeOf(int m, int n, int k, WeightFormat format) => new()
    {
        M = m,
        N = n,
        K = k,
        BlockShift = format.BlockShift,
        Phase = format.Phase,
    };

    /// <summary>Starts it on the default stream.</summary>
    public static void Start(
        Workbench bench, ProductShape shape, ElementType type, WeightFormat format, ProductOperands operands, GpuProduct product)
    {
        if (format.IsDense)
        {
            StartTiles(bench, shape, type, format, operands);
        }
        else if (shape.M == 1 && shape.K % 8 == 0 && shape.Phase % 8 == 0 && product == GpuProduct.Auto)
        {
            StartRow(bench, shape, type, format, operands);
        }
        else if (bench.HasTensorCores && type != ElementType.F32 && product != GpuProduct.Tiled)
        {
            Type unit = type == ElementType.BF16 ? typeof(MmaBF16) : typeof(MmaF16);
            StartTensor(bench, shape, unit, format, operands, ArrayView<int>.Empty);
        }
        else
        {
            StartTiles(bench, shape, type, format, operands);
        }
    }

    /// <summary>Starts the kernel of the tensor cores with a unit of choice.</summary>
    /// <param name="work">What a unit without tensor cores works in; empty for others.</param>
    public static void StartTensor(
        Workbench bench, ProductShape shape, Type unit, WeightFormat format, ProductOperands operands, ArrayView<int> work)
    {
        var grid = new Index2D(Workbench.Groups(shape.N, TensorGemmKernel.Tile), Workbench.Groups(shape.M, TensorGemmKernel.Tile));
        bench.Kernels.Get<TensorLauncher>(typeof(TensorGemmKernel), unit, format.Kernel)(
            bench.Accelerator.DefaultStream,
            (grid, new Index2D(TensorGemmKernel.Threads, 1)),
            operands.X,
            operands.X.LoadEffectiveAddressAsPtr().ToInt64(),
            operands.Codes,
            operands.Absmax,
            MapOf(bench, format),
            operands.Y,
            operands.Y.LoadEffectiveAddressAsPtr().ToInt64(),
            work,
            shape);
    }

    private static void StartRow(Workbench bench, ProductShape shape, ElementType type, WeightFormat format, ProductOperands operands)
    {
        int group = Math.Max(bench.UsualGroup, GemvKernel.Team), wide = format.WideLoad;
        Type kernel = shape.K % wide == 0 && shape.Phase % wide == 0 ? typeof(GemvWideKernel) : typeof(GemvKernel);
        bench.Kernels.Get<GemvLauncher>(kernel, KernelTypes.Of(type), format.Kernel)(
            bench.Accelerator.DefaultStream,
            (Workbench.Groups(shape.N, group / GemvKernel.Team), group),
            operands.X.Cast<Quad>(),
            operands.Codes,
            operands.Absmax,
            MapOf(bench, format),
            operands.Y,
            shape);
    }

    private static void StartTiles(Workbench bench, ProductShape shape, ElementType type, WeightFormat format, ProductOperands operands)
    {
        var grid = new Index2D(Workbench.Groups(shape.N, TiledGemmKernel.Tile), Workbench.Groups(shape.M, TiledGemmKernel.Tile));
        bench.Kernels.Get<TiledLauncher>(typeof(TiledGemmKernel), KernelTypes.Of(type), format.Kernel)(
            bench.Accelerator.DefaultStream,
            (grid, new Index2D(TiledGemmKernel.Threads, 1)),
            operands.X,
            operands.Codes,
            operands.Absmax,
            MapOf(bench, format),
            operands.Y,
            shape);
    }

    /// <summary>The values of the code. Integers have none and its kernels read none; OpenCL wants a buffer all the same.</summary>
    private static ArrayView<float> MapOf(Workbench bench, WeightFormat format) => format.Code is { } code ? bench.TablesOf(code).Values : bench.Dynamic.Map;
}
