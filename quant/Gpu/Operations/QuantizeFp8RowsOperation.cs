using Bnb.Quant.Fp8;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="QuantizeFp8Rows.Run"/> on a device: the same bytes.</summary>
internal unsafe ref struct QuantizeFp8RowsOperation : IOperation
{
    private readonly ElementType _type;
    private readonly int _columns, _rows;
    private readonly ReadOnlySpan<byte> _source;
    private readonly Span<byte> _scales, _codes;

    public QuantizeFp8RowsOperation(ElementType type, int columns, ReadOnlySpan<byte> source, Span<byte> scales, Span<byte> codes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        _rows = Operands.WholeValues(type, scales.Length, nameof(scales));
        BlockGrid.CheckLength(nameof(codes), (long)columns * _rows, codes.Length);
        BlockGrid.CheckLength(nameof(source), (long)columns * _rows * type.Size(), source.Length);
        _type = type;
        _columns = columns;
        _source = source;
        _scales = scales;
        _codes = codes;
    }

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> source,
        ArrayView<byte> codes,
        ArrayView<byte> scales,
        ArrayView<int> nonFinite,
        int columns);

    /// <summary>Whether all values are finite.</summary>
    public bool AllFinite { get; private set; } = true;

    public void Run(Workbench bench)
    {
        if (_rows == 0) return;
        if (bench.LongestRow(_type) is var longest && _columns > longest)
        {
            throw new GpuException(
                $"{bench.Device.Id}: a row of {_columns} values exceeds the memory limit of {bench.MaxDeviceMemoryBytes} bytes, which allows {longest}");
        }

        int size = _type.Size(), columns = _columns, count = _rows;
        // At least one: columns are at most LongestRow.
        long rows = Math.Min(Math.Min(count, bench.RowMemory / (columns * (size + 1L) + 4)), Math.Max(1, bench.LargestChunk / columns));
        var kernel = bench.Kernels.Get<Launcher>(typeof(QuantizeFp8RowsKernel), KernelTypes.Of(_type));
        int group = Math.Min(bench.UsualGroup, QuantizeFp8RowsKernel.LargestGroup);
        bench.NonFinite.Clear();
        fixed (byte* values = _source, bytes = _codes, scales = _scales)
        {
            bench.Pipeline.Run(
                (count + rows - 1) / rows,
                new Lane(values, _source.Length, rows * columns * size),
                Lane.None,
                new Lane(bytes, _codes.Length, rows * columns),
                new Lane(scales, _scales.Length, rows * size),
                (slot, chunk) => kernel(
                    slot.Stream,
                    ((int)Math.Min(rows, count - chunk * rows), group),
                    slot.In.View,
                    slot.Out.View,
                    slot.OutScales.View,
                    bench.NonFinite.View,
                    columns));
        }

        AllFinite = !bench.NonFinite.IsSet;
    }
}
