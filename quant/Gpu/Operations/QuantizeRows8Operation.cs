using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="QuantizeRows8.Run"/> on a device: the same bytes.</summary>
internal unsafe ref struct QuantizeRows8Operation : IOperation
{
    private readonly ElementType _type;
    private readonly int _columns;
    private readonly ReadOnlySpan<byte> _source;
    private readonly Span<float> _absmax;
    private readonly Span<sbyte> _codes;

    public QuantizeRows8Operation(ElementType type, int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        long count = (long)columns * absmax.Length;
        BlockGrid.CheckLength(nameof(codes), count, codes.Length);
        BlockGrid.CheckLength(nameof(source), count * type.Size(), source.Length);
        _type = type;
        _columns = columns;
        _source = source;
        _absmax = absmax;
        _codes = codes;
    }

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> source,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<int> nonFinite,
        int columns,
        int zero);

    /// <summary>Whether all values are finite as binary16.</summary>
    public bool AllFinite { get; private set; } = true;

    public void Run(Workbench bench)
    {
        if (_absmax.IsEmpty) return;
        if (bench.LongestRow(_type) is var longest && _columns > longest)
        {
            throw new GpuException(
                $"{bench.Device.Id}: a row of {_columns} values exceeds the memory limit of {bench.MaxDeviceMemoryBytes} bytes, which allows {longest}");
        }

        int size = _type.Size(), columns = _columns;
        long rowBytes = columns * (size + 1L) + 4, count = _absmax.Length;
        // At least one: columns are at most LongestRow.
        long rows = Math.Min(Math.Min(count, bench.RowMemory / rowBytes), Math.Max(1, bench.LargestChunk / columns));
        var kernel = bench.Kernels.Get<Launcher>(typeof(QuantizeRows8Kernel), KernelTypes.Of(_type));
        int group = Math.Min(bench.UsualGroup, QuantizeRows8Kernel.LargestGroup);
        bench.NonFinite.Clear();
        fixed (byte* values = _source)
        fixed (sbyte* bytes = _codes)
        fixed (float* scales = _absmax)
        {
            bench.Pipeline.Run(
                (count + rows - 1) / rows,
                new Lane(values, _source.Length, rows * columns * size),
                Lane.None,
                new Lane(bytes, _codes.Length, rows * columns),
                new Lane(scales, count * 4, rows * 4),
                (slot, chunk) => kernel(
                    slot.Stream,
                    ((int)Math.Min(rows, count - chunk * rows), group),
                    slot.In.View,
                    slot.Out.View,
                    slot.OutScales.View.Cast<float>(),
                    bench.NonFinite.View,
                    columns,
                    0));
        }

        AllFinite = !bench.NonFinite.IsSet;
    }
}
