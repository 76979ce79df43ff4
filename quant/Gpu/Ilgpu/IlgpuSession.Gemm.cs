using System.Runtime.InteropServices;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu;

// Matrix products. The operands are whole on the device.
internal sealed partial class IlgpuSession
{
    private delegate void TensorLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<Quad> x,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<float> y,
        ArrayView<float> sums,
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

    private protected override void RunGemm(
        int m,
        int n,
        int k,
        ElementType type,
        ReadOnlySpan<byte> x,
        WeightFormat format,
        ReadOnlySpan<byte> codes,
        ReadOnlySpan<float> absmax,
        Span<float> y,
        GpuProduct product)
    {
        long needed = x.Length + codes.Length + 4L * absmax.Length + 4L * y.Length;
        if (needed > MaxDeviceMemoryBytes)
        {
            throw new GpuException($"{Device.Id}: the product needs {needed} bytes on the device, the limit is {MaxDeviceMemoryBytes}");
        }

        using var xs = Upload(x);
        using var weights = Upload(codes);
        using var scales = Upload(MemoryMarshal.AsBytes(absmax));
        using var sums = _accelerator.Allocate1D<float>(y.Length);
        var operands = new ProductOperands(xs.View, weights.View, scales.View.BaseView.Cast<float>(), sums.View);
        Launch(_accelerator.DefaultStream, ShapeOf(m, n, k, format), type, format.Code, operands, product);
        _accelerator.Synchronize();
        sums.GetAsArray1D().CopyTo(y);
    }

    /// <inheritdoc/>
    internal override float[] EmulateTensorCores(
        int m,
        int n,
        int k,
        ElementType type,
        ReadOnlySpan<byte> x,
        WeightFormat format,
        ReadOnlySpan<byte> codes,
        ReadOnlySpan<float> absmax)
    {
        ProductShape shape = ShapeOf(m, n, k, format);
        int groups = Groups(shape.N, TensorGemmKernel.Tile) * Groups(shape.M, TensorGemmKernel.Tile);
        using var xs = Upload(x);
        using var weights = Upload(codes);
        using var scales = Upload(MemoryMarshal.AsBytes(absmax));
        using var y = _accelerator.Allocate1D<float>((long)shape.M * shape.N);
        using var sums = _accelerator.Allocate1D<float>((long)groups * TensorGemmKernel.SumsPerGroup);
        var operands = new ProductOperands(xs.View, weights.View, scales.View.BaseView.Cast<float>(), y.View);
        Type unit = typeof(MmaByShuffles<>).MakeGenericType(StoredOf(type));
        LaunchTensor(_accelerator.DefaultStream, shape, unit, format.Code, operands, sums.View);
        _accelerator.Synchronize();
        return y.GetAsArray1D();
    }

    /// <summary>Starts the kernel that fits the shape.</summary>
    /// <param name="code">Null for int8 rows.</param>
    internal void Launch(
        AcceleratorStream stream, ProductShape shape, ElementType type, Code4? code, ProductOperands operands, GpuProduct product)
    {
        if (shape.M == 1 && shape.K % 8 == 0 && shape.Phase % 8 == 0 && product == GpuProduct.Auto)
        {
            int group = Math.Max(UsualGroup, GemvKernel.Team);
            _kernels.Get<GemvLauncher>(typeof(GemvKernel), StoredOf(type), WeightsOf(code))(
                stream,
                (Groups(shape.N, group / GemvKernel.Team), group),
                operands.X.Cast<Quad>(),
                operands.Codes,
                operands.Absmax,
                MapOf(code),
                operands.Y,
                shape);
            return;
        }

        bool fits = shape.K % TensorGemmKernel.Depth == 0 && shape.Phase % 16 == 0;
        if (HasTensorCores && type != ElementType.F32 && fits && product != GpuProduct.Tiled)
        {
            Type unit = type == ElementType.BF16 ? typeof(MmaBF16) : typeof(MmaF16);
            LaunchTensor(stream, shape, unit, code, operands, ArrayView<float>.Empty);
            return;
        }

        _kernels.Get<TiledLauncher>(typeof(TiledGemmKernel), StoredOf(type), WeightsOf(code))(
            stream,
            (new Index2D(Groups(shape.N, TiledGemmKernel.Tile), Groups(shape.M, TiledGemmKernel.Tile)), new Index2D(TiledGemmKernel.Threads, 1)),
            operands.X,
            operands.Codes,
            operands.Absmax,
            MapOf(code),
            operands.Y,
            shape);
    }

    private void LaunchTensor(
        AcceleratorStream stream, ProductShape shape, Type unit, Code4? code, ProductOperands operands, ArrayView<float> sums) =>
        _kernels.Get<TensorLauncher>(typeof(TensorGemmKernel), unit, WeightsOf(code))(
            stream,
            (new Index2D(Groups(shape.N, TensorGemmKernel.Tile), Groups(shape.M, TensorGemmKernel.Tile)),
                new Index2D(TensorGemmKernel.Threads, 1)),
            operands.X.Cast<Quad>(),
            operands.Codes,
            operands.Absmax,
            MapOf(code),
            operands.Y,
            sums,
            shape);

    private static ProductShape ShapeOf(int m, int n, int k, WeightFormat format) => new()
    {
        M = m,
        N = n,
        K = k,
        BlockShift = format.Code is null ? 0 : int.Log2(format.Blocksize),
        Phase = format.Phase,
    };

    /// <summary>The struct that stands for the weights in kernels.</summary>
    private static Type WeightsOf(Code4? code) => code is null ? typeof(Weights8) : typeof(Weights4);

    /// <summary>The values of the code. Int8 has none and its kernels read none; OpenCL wants a buffer all the same.</summary>
    private ArrayView<float> MapOf(Code4? code) => code is null ? _map.View : TablesOf(code).Values;

    /// <summary>A device copy, padded with zeros so that kernels may read whole words.</summary>
    private MemoryBuffer1D<byte, Stride1D.Dense> Upload(ReadOnlySpan<byte> bytes)
    {
        var padded = new byte[(bytes.Length + Port.Padding) / Port.Padding * Port.Padding];
        bytes.CopyTo(padded);
        return _accelerator.Allocate1D(padded);
    }
}

/// <summary>The operands of a product on the device.</summary>
/// <param name="X">[m, k] values of the compute type.</param>
/// <param name="Codes">[n, k] codes, after as many as the phase says.</param>
/// <param name="Absmax">One per block or row.</param>
/// <param name="Y">[m, n] sums.</param>
internal readonly record struct ProductOperands(ArrayView<byte> X, ArrayView<byte> Codes, ArrayView<float> Absmax, ArrayView<float> Y);
