using System.Buffers;
using Bnb.Formats.IO;

namespace Bnb.Formats.Torch;

/// <summary>
/// Reads a piece of a tensor whose bytes do not lie one after the other, row by row as if they did. Memory is one buffer of
/// <see cref="BufferBytes"/>, whatever the piece; rows that lie close together are read at once, others one by one.
/// </summary>
internal readonly ref struct StridedReader
{
    private const int BufferBytes = 1 << 17;

    // Reading a page costs about as much as asking for it; what is less dense than this is read in smaller parts.
    private const int PageBytes = 4096;
    private const int LowestDensity = 8;

    private readonly IByteSource _source;
    private readonly TensorStrides _strides;
    private readonly Span<byte> _buffer;
    private readonly ReadOnlySpan<long> _volumes;

    private StridedReader(IByteSource source, TensorStrides strides, Span<byte> buffer, ReadOnlySpan<long> volumes)
    {
        _source = source;
        _strides = strides;
        _buffer = buffer;
        _volumes = volumes;
    }

    /// <summary>Fills <paramref name="destination"/> with the tensor's bytes from <paramref name="offset"/> on.</summary>
    /// <param name="source">The file.</param>
    /// <param name="strides">Where the tensor's bytes are in it.</param>
    /// <param name="offset">First byte of the tensor, counted as if it were contiguous.</param>
    /// <param name="destination">Not longer than what follows there.</param>
    public static void Read(IByteSource source, TensorStrides strides, long offset, Span<byte> destination)
    {
        if (destination.IsEmpty) return;
        int rank = strides.Sizes.Count;
        // Bytes of all that lies inside one index of each dimension.
        long[] volumes = new long[rank];
        volumes[rank - 1] = 1;
        for (int i = rank - 2; i >= 0; i--) volumes[i] = volumes[i + 1] * strides.Sizes[i + 1];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, (volumes[0] * strides.Sizes[0]) - destination.Length);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            var reader = new StridedReader(source, strides, buffer.AsSpan(0, BufferBytes), volumes);
            reader.Boxes(0, strides.Start, offset, offset + destination.Length, destination);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>
    /// Cuts a range of bytes into boxes: the rest of the index it begins in, whole indexes, and the beginning of the one it
    /// ends in.
    /// </summary>
    private void Boxes(int dimension, long start, long begin, long end, Span<byte> destination)
    {
        long volume = _volumes[dimension], step = _strides.Steps[dimension];
        long first = begin / volume, last = end / volume, head = begin % volume, tail = end % volume;
        if (head != 0)
        {
            long stop = first == last ? tail : volume;
            int length = (int)(stop - head);
            Boxes(dimension + 1, start + (first * step), head, stop, destination[..length]);
            destination = destination[length..];
            if (first++ == last) return;
        }

        if (first < last)
        {
            int length = (int)((last - first) * volume);
            long[] counts = [.. _strides.Sizes.Skip(dimension)];
            counts[0] = last - first;
            Gather(start + (first * step), counts, dimension, destination[..length]);
            destination = destination[length..];
        }

        if (tail != 0) Boxes(dimension + 1, start + (last * step), 0, tail, destination);
    }

    /// <summary>Reads a box whose rows lie at regular distances, in halves until a part is worth one read.</summary>
    /// <param name="start">Its first byte in the file.</param>
    /// <param name="counts">Its extents, from <paramref name="dimension"/> on.</param>
    /// <param name="destination">From the box's first byte on; its rows are at the distances of the outermost box.</param>
    private void Gather(long start, long[] counts, int dimension, Span<byte> destination)
    {
        long[] rows = new long[counts.Length];
        rows[^1] = 1;
        for (int i = rows.Length - 2; i >= 0; i--) rows[i] = rows[i + 1] * counts[i + 1];
        Part(start, counts, rows, dimension, destination);
    }

    private void Part(long start, long[] counts, long[] rows, int dimension, Span<byte> destination)
    {
        long extent = 1, useful = 1;
        int widest = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            long step = _strides.Steps[dimension + i], reach = (counts[i] - 1) * step;
            extent += reach;
            if (step > 0) useful *= counts[i];
            if (reach >= (counts[widest] - 1) * _strides.Steps[dimension + widest]) widest = i;
        }

        if (extent == counts[^1] && counts.AsSpan(0, counts.Length - 1).IndexOfAnyExcept(1) < 0)
        {
            _source.Read(start, destination[..(int)extent]);
        }
        else if (extent <= BufferBytes && (extent <= PageBytes || useful >= extent / LowestDensity))
        {
            Span<byte> bytes = _buffer[..(int)extent];
            _source.Read(start, bytes);
            Scatter(bytes, counts, rows, dimension, destination);
        }
        else
        {
            long half = counts[widest] / 2;
            long[] part = [.. counts];
            part[widest] = half;
            Part(start, part, rows, dimension, destination);
            part[widest] = counts[widest] - half;
            Part(start + (half * _strides.Steps[dimension + widest]), part, rows, dimension, destination[(int)(half * rows[widest])..]);
        }
    }

    private void Scatter(ReadOnlySpan<byte> bytes, long[] counts, long[] rows, int dimension, Span<byte> destination)
    {
        int rank = counts.Length, run = (int)counts[^1];
        Span<long> index = stackalloc long[rank - 1];
        index.Clear();
        int from = 0, to = 0;
        while (true)
        {
            bytes.Slice(from, run).CopyTo(destination[to..]);
            int i = rank - 2;
            for (; i >= 0; i--)
            {
                int step = (int)_strides.Steps[dimension + i], row = (int)rows[i];
                if (++index[i] < counts[i])
                {
                    from += step;
                    to += row;
                    break;
                }

                from -= step * (int)(counts[i] - 1);
                to -= row * (int)(counts[i] - 1);
                index[i] = 0;
            }

            if (i < 0) return;
        }
    }
}
