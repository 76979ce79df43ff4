using System.Runtime.InteropServices;
using Bnb.Quant.Gemm;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Numerics;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary>A product with quantized or dense weights. The operands are whole on the device.</summary>
internal readonly ref struct ProductOperation : IOperation
{
    private readonly int _m, _n, _k;
    private readonly ElementType _type;
    private readonly ReadOnlySpan<byte> _x, _codes;
    private readonly WeightFormat _format;
    private readonly ReadOnlySpan<float> _absmax;
    private readonly Span<float> _y;
    private readonly GpuProduct _product;

    /// <param name="codes">As many as the shape needs, of 4-bit codes also more.</param>
    /// <param name="absmax">As many as the shape needs, of 4-bit codes also more.</param>
    public ProductOperation(
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
        GemmShape.CheckDimensions(m, n, k);
        BlockGrid.CheckLength(nameof(x), (long)m * k * type.Size(), x.Length);
        BlockGrid.CheckLength(nameof(y), (long)m * n, y.Length);
        format.Check();
        long bytes = format.CodeBytes((long)n * k), scales = format.Scales(n, k);
        if (format.Code is null)
        {
            BlockGrid.CheckLength(nameof(codes), bytes, codes.Length);
            BlockGrid.CheckLength(nameof(absmax), scales, absmax.Length);
        }
        else
        {
            Operands.CheckAtLeast(nameof(codes), bytes, codes.Length);
            Operands.CheckAtLeast(nameof(absmax), scales, absmax.Length);
        }

        (_m, _n, _k, _type, _format, _product) = (m, n, k, type, format, product);
        _x = x;
        _codes = codes[..(int)bytes];
        _absmax = absmax[..(int)scales];
        _y = y;
    }

    /// <summary>The kernel of <see cref="GpuProduct.TensorCores"/> with software in place of the tensor cores, on any device
    /// with warps of 32.</summary>
    public bool Emulated { get; init; }

    public void Run(Workbench bench)
    {
        if (_product == GpuProduct.TensorCores && !Emulated && (!bench.HasTensorCores || _type == ElementType.F32))
        {
            throw new GpuException($"{bench.Device.Id}: no tensor cores for {_type}");
        }

        _y.Clear();
        if (_y.Length == 0 || _k == 0) return;
        long needed = _x.Length + _codes.Length + 4L * _absmax.Length + 4L * _y.Length;
        if (needed > bench.MaxDeviceMemoryBytes)
        {
            throw new GpuException(
                $"{bench.Device.Id}: the product needs {needed} bytes on the device, the limit is {bench.MaxDeviceMemoryBytes}");
        }

        using var xs = bench.Upload(_x);
        using var weights = bench.Upload(_codes);
        using var scales = bench.Upload(MemoryMarshal.AsBytes(_absmax));
        using var sums = bench.Accelerator.Allocate1D<float>(_y.Length);
        ProductShape shape = ProductLaunch.ShapeOf(_m, _n, _k, _format);
        var operands = new ProductOperands(xs.View, weights.View, scales.View.BaseView.Cast<float>(), sums.View);
        if (Emulated) Emulate(bench, shape, operands);
        else ProductLaunch.Start(bench, shape, _type, _format, operands, _product);
        bench.Accelerator.Synchronize();
        sums.GetAsArray1D().CopyTo(_y);
    }

    private void Emulate(Workbench bench, ProductShape shape, ProductOperands operands)
    {
        long groups = (long)Workbench.Groups(_n, TensorGemmKernel.Tile) * Workbench.Groups(_m, TensorGemmKernel.Tile);
        using var own = bench.Accelerator.Allocate1D<int>(groups * TensorGemmKernel.OwnPerGroup);
        Type unit = typeof(MmaInSoftware<>).MakeGenericType(KernelTypes.Of(_type));
        ProductLaunch.StartTensor(bench, shape, unit, _format, operands, own.View);
        bench.Accelerator.Synchronize();
    }
}
