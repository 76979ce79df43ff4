using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu;

// Rows of LLM.int8().
internal sealed partial class IlgpuSession
{
    private delegate void RowsLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> source,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<int> nonFinite,
        int columns,
        int zero);

    private delegate void RowsDecoder(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<Quad> destination,
        int units,
        int columns);

    private protected override unsafe bool RunQuantizeRows8(
        ElementType type, int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes)
    {
        if (absmax.IsEmpty) return true;
        int size = type.Size();
        long rowBytes = columns * (size + 1L) + 4;
        // At least one: columns are at most LongestRow.
        long rows = Math.Min(Math.Min(absmax.Length, RowMemory / rowBytes), Math.Max(1, LargestChunk / columns));
        var kernel = _kernels.Get<RowsLauncher>(typeof(QuantizeRows8Kernel), StoredOf(type));
        int group = Math.Min(UsualGroup, QuantizeRows8Kernel.LargestGroup);
        long count = absmax.Length;
        _nonFinite.MemSetToZero();
        _accelerator.Synchronize();

        fixed (byte* values = source)
        fixed (sbyte* bytes = codes)
        fixed (float* scales = absmax)
        {
            _pipeline.Run(
                (count + rows - 1) / rows,
                new Lane(values, source.Length, rows * columns * size),
                Lane.None,
                new Lane(bytes, codes.Length, rows * columns),
                new Lane(scales, count * 4, rows * 4),
                (slot, chunk) => kernel(
                    slot.Stream,
                    ((int)Math.Min(rows, count - chunk * rows), group),
                    slot.In.View,
                    slot.Out.View,
                    slot.OutScales.View.Cast<float>(),
                    _nonFinite.View,
                    columns,
                    0));
        }

        return _nonFinite.GetAsArray1D()[0] == 0;
    }

    private protected override unsafe void RunDequantizeRows8(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, ElementType type, Span<byte> destination)
    {
        if (absmax.IsEmpty) return;
        int size = type.Size();
        long most = Math.Min(LargestChunk, RowMemory / (size + 1 + 4));
        if (columns > most)
        {
            // A piece of a row is a row, too.
            for (int row = 0; row < absmax.Length; row++)
            {
                for (long done = 0; done < columns; done += most)
                {
                    int start = (int)((long)row * columns + done), part = (int)Math.Min(most, columns - done);
                    RunDequantizeRows8(
                        part, codes.Slice(start, part), absmax.Slice(row, 1), type, destination.Slice(start * size, part * size));
                }
            }

            return;
        }

        long rows = most / columns, count = absmax.Length;
        var kernel = _kernels.Get<RowsDecoder>(typeof(DequantizeRows8Kernel), StoredOf(type));
        int group = UsualGroup;
        fixed (byte* values = destination)
        fixed (sbyte* bytes = codes)
        fixed (float* scales = absmax)
        {
            _pipeline.Run(
                (count + rows - 1) / rows,
                new Lane(bytes, codes.Length, rows * columns),
                new Lane(scales, count * 4, rows * 4),
                new Lane(values, destination.Length, rows * columns * size),
                Lane.None,
                (slot, chunk) =>
                {
                    int part = (int)Math.Min(rows, count - chunk * rows) * columns;
                    int units = Groups(part, DequantizeRows8Kernel.Unit);
                    kernel(
                        slot.Stream,
                        (Groups(units, group), group),
                        slot.In.View,
                        slot.InScales.View.Cast<float>(),
                        slot.Out.View.Cast<Quad>(),
                        units,
                        columns);
                });
        }
    }
}
