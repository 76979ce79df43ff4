using System.Runtime.InteropServices;

namespace Bnb.Engine.Work;

/// <summary>
/// GPT-2's Conv1D stores its weight as [in, out]; bitsandbytes quantizes it as [out, in]. These gather a flat range of the
/// transposed weight from the stored one.
/// </summary>
internal static class Conv1D
{
    // A 32 x 32 tile of 4-byte values touches 32 cache lines on either side.
    private const int Tile = 32;

    /// <summary>From a source held in memory.</summary>
    /// <param name="stored">[columns, rows], row-major, elements of <paramref name="size"/> bytes.</param>
    /// <param name="rows">Output features.</param>
    /// <param name="columns">Input features.</param>
    /// <param name="first">Flat index into the transposed [rows, columns] weight.</param>
    /// <param name="destination">Whole elements; its length says how many.</param>
    public static void Gather(ReadOnlySpan<byte> stored, long rows, long columns, int size, long first, Span<byte> destination)
    {
        switch (size)
        {
            case 2:
                GatherTiled(MemoryMarshal.Cast<byte, ushort>(stored), (int)rows, (int)columns, first, MemoryMarshal.Cast<byte, ushort>(destination));
                break;
            case 4:
                GatherTiled(MemoryMarshal.Cast<byte, uint>(stored), (int)rows, (int)columns, first, MemoryMarshal.Cast<byte, uint>(destination));
                break;
            case 8:
                GatherTiled(MemoryMarshal.Cast<byte, ulong>(stored), (int)rows, (int)columns, first, MemoryMarshal.Cast<byte, ulong>(destination));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(size), size, "elements are 2, 4 or 8 bytes");
        }
    }

    /// <summary>
    /// From a source too large to hold: reads, for each stored row, the run of neighbouring output features that the range
    /// needs. Many short reads; only a weight beyond the memory ceiling comes here.
    /// </summary>
    /// <param name="read">Reads stored bytes at an offset within the tensor.</param>
    public static void Gather(
        Action<long, Span<byte>> read, Span<byte> scratch, long rows, long columns, int size, long first, Span<byte> destination)
    {
        long last = first + (destination.Length / size) - 1;
        for (long row = first / columns; row <= last / columns;)
        {
            int run = (int)Math.Min(scratch.Length / size, (last / columns) - row + 1);
            // Columns outside the range can be skipped only when the run is within one row.
            long fromColumn = run == 1 ? Math.Max(first - (row * columns), 0) : 0;
            long toColumn = run == 1 ? Math.Min(last - (row * columns), columns - 1) : columns - 1;
            for (long column = fromColumn; column <= toColumn; column++)
            {
                Span<byte> neighbours = scratch[..(run * size)];
                read(((column * rows) + row) * size, neighbours);
                for (int i = 0; i < run; i++)
                {
                    long index = ((row + i) * columns) + column - first;
                    if (index < 0 || index > last - first) continue;
                    neighbours.Slice(i * size, size).CopyTo(destination[(int)(index * size)..]);
                }
            }

            row += run;
        }
    }

    /// <summary>
    /// The inverse: puts a flat range of the [out, in] weight where [in, out] has it. Neighbouring output features of one
    /// input feature are neighbours there, so each write is as long as the range has rows.
    /// </summary>
    /// <param name="write">Writes stored bytes at an offset within the tensor.</param>
    public static void Scatter(
        Action<long, ReadOnlySpan<byte>> write, Span<byte> scratch, long rows, long columns, int size, long first, ReadOnlySpan<byte> values)
    {
        long last = first + (values.Length / size) - 1;
        long fromRow = first / columns, toRow = last / columns;
        for (long row = fromRow; row <= toRow;)
        {
            // Whole rows together; a row cut by the range's ends goes alone.
            bool isWhole = row * columns >= first && ((row + 1) * columns) - 1 <= last;
            long wholeUntil = (last + 1) / columns;
            int run = isWhole ? (int)Math.Min(scratch.Length / size, wholeUntil - row) : 1;
            long fromColumn = isWhole ? 0 : Math.Max(first - (row * columns), 0);
            long toColumn = isWhole ? columns - 1 : Math.Min(last - (row * columns), columns - 1);
            for (long column = fromColumn; column <= toColumn; column++)
            {
                for (int i = 0; i < run; i++)
                {
                    long index = ((row + i) * columns) + column - first;
                    values.Slice((int)(index * size), size).CopyTo(scratch[(i * size)..]);
                }

                write(((column * rows) + row) * size, scratch[..(run * size)]);
            }

            row += run;
        }
    }

    private static void GatherTiled<T>(ReadOnlySpan<T> stored, int rows, int columns, long first, Span<T> destination)
    {
        long last = first + destination.Length - 1;
        int fromRow = (int)(first / columns), toRow = (int)(last / columns);
        for (int rowTile = fromRow; rowTile <= toRow; rowTile += Tile)
        {
            int rowEnd = Math.Min(rowTile + Tile, toRow + 1);
            for (int columnTile = 0; columnTile < columns; columnTile += Tile)
            {
                int columnEnd = Math.Min(columnTile + Tile, columns);
                for (int row = rowTile; row < rowEnd; row++)
                {
                    long start = ((long)row * columns) - first;
                    int from = (int)Math.Max(columnTile, -start);
                    int to = (int)Math.Min(columnEnd, last - first - start + 1);
                    for (int column = from; column < to; column++)
                        destination[(int)(start + column)] = stored[(int)(((long)column * rows) + row)];
                }
            }
        }
    }
}
