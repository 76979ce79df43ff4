using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="DequantizeRows8"/> on a device: the same bytes. Rows that exceed a chunk are cut.</summary>
internal readonly unsafe ref struct DequantizeRows8Operation : IOperation
{
    private readonly int _columns;
    private readonly ReadOnlySpan<sbyte> _codes;
    private readonly ReadOnlySpan<float> _absmax;
    private readonly ElementType _type;
    private readonly Span<byte> _destination;

    public DequantizeRows8Operation(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, ElementType type, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        BlockGrid.CheckLength(nameof(codes), (long)columns * absmax.Length, codes.Length);
        BlockGrid.CheckLength(nameof(destination), (long)codes.Length * type.Size(), destination.Length);
        _columns = columns;
        _codes = codes;
        _absmax = absmax;
        _type = type;
        _destination = destination;
    }

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<Quad> destination,
        int units,
        int columns);

    public void Run(Workbench bench)
    {
        if (_absmax.IsEmpty) return;
        int size = _type.Size(), columns = _columns;
        long most = Math.Min(bench.LargestChunk, bench.RowMemory / (size + 1 + 4));
        if (columns > most)
        {
            RunPieces(bench, (int)most);
            return;
        }

        long rows = most / columns, count = _absmax.Length;
        Action<AcceleratorStream, ArrayView<byte>, ArrayView<float>, ArrayView<byte>, long> kernel = Kernel(bench, _type, columns);
        fixed (byte* values = _destination)
        fixed (sbyte* bytes = _codes)
        fixed (float* scales = _absmax)
        {
            bench.Pipeline.Run(
                (count + rows - 1) / rows,
                new Lane(bytes, _codes.Length, rows * columns),
                new Lane(scales, count * 4, rows * 4),
                new Lane(values, _destination.Length, rows * columns * size),
                Lane.None,
                (slot, chunk) => kernel(
                    slot.Stream,
                    slot.In.View,
                    slot.InScales.View.Cast<float>(),
                    slot.Out.View,
                    Math.Min(rows, count - chunk * rows) * columns));
        }
    }

    /// <summary>The kernel on a device: codes, absmax, destination and the number of values, all padded to units.</summary>
    public static Action<AcceleratorStream, ArrayView<byte>, ArrayView<float>, ArrayView<byte>, long> Kernel(
        Workbench bench, ElementType type, int columns)
    {
        var launch = bench.Kernels.Get<Launcher>(typeof(DequantizeRows8Kernel), KernelTypes.Of(type));
        int group = bench.UsualGroup;
        return (stream, codes, absmax, destination, count) =>
        {
            int units = Workbench.Groups(count, DequantizeRows8Kernel.Unit);
            launch(stream, (Workbench.Groups(units, group), group), codes, absmax, destination.Cast<Quad>(), units, columns);
        };
    }

    // A piece of a row is a row, too.
    private void RunPieces(Workbench bench, int most)
    {
        int size = _type.Size();
        for (int row = 0; row < _absmax.Length; row++)
        {
            for (int done = 0; done < _columns; done += most)
            {
                int start = row * _columns + done, part = Math.Min(most, _columns - done);
                new DequantizeRows8Operation(
                    part, _codes.Slice(start, part), _absmax.Slice(row, 1), _type, _destination.Slice(start * size, part * size)).Run(bench);
            }
        }
    }
}
