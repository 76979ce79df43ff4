using Bnb.Engine.Errors;
using Bnb.Engine.Text;

namespace Bnb.Engine.Work;

/// <summary>
/// Divides <c>--max-memory</c>: fixed buffers per worker first, the rest is lent to tensors in flight (absmax values
/// waiting for their mean, preloaded Conv1D weights). What cannot be lent goes through the disk, so the ceiling holds for
/// a tensor of any size and never changes a byte of the output.
/// </summary>
internal sealed class MemoryBudget
{
    private const int SmallestChunkValues = 1 << 16;
    private const int SmallestRawBytes = 1 << 17;

    private long _available;

    private MemoryBudget(BufferNeeds needs, int workers, int chunkValues, int rawBytes, long available)
    {
        (Needs, Workers, ChunkValues, RawBytes) = (needs, workers, chunkValues, rawBytes);
        _available = available;
    }

    public BufferNeeds Needs { get; }

    public int Workers { get; }

    /// <summary>
    /// Values per unit of work: a multiple of what the data types ask, so that a chunk owns whole nested blocks and whole bytes.
    /// </summary>
    public int ChunkValues { get; }

    /// <summary>Bytes of a worker's read buffer; also the unit in which copied tensors move.</summary>
    public int RawBytes { get; }

    /// <param name="preferredChunkValues">Values per unit of work where memory allows it; a power of two.</param>
    /// <exception cref="UserErrorException">The ceiling is below what one worker needs with the smallest chunk.</exception>
    public static MemoryBudget Divide(BufferNeeds needs, int threads, long maxBytes, int preferredChunkValues)
    {
        int smallestChunk = Math.Max(SmallestChunkValues, needs.ChunkMultiple);
        int chunk = Math.Max(preferredChunkValues, smallestChunk);
        while (chunk > smallestChunk && PerWorker(chunk) * threads > maxBytes) chunk /= 2;
        int workers = (int)Math.Clamp(maxBytes / PerWorker(chunk), 0, threads);
        if (workers == 0)
        {
            throw new UserErrorException(ExitCode.Usage, "USAGE", $"--max-memory {ByteSize.Format(maxBytes)} is too small for this run")
            {
                Facts = [("needed", $"{ByteSize.Exact(PerWorker(smallestChunk))} bytes for one thread")],
                Action = "raise --max-memory",
            };
        }

        return new MemoryBudget(needs, workers, chunk, RawFor(chunk), maxBytes - (workers * PerWorker(chunk)));

        long InputFor(int values) => needs.Input is { } shape ? WorkerBuffers.InputBytes(shape, values) : 0;
        int RawFor(int values) => Math.Max(SmallestRawBytes, values * needs.WidestValue);
        long PerWorker(int values) => needs.DenseReaders == 0 ? Stored(values) : needs.DenseReaders * (Stored(values) + (values * sizeof(float)));
        long Stored(int values) =>
            InputFor(values) + (RawFor(values) * (needs.Gathers ? 2L : 1L)) + (values * needs.CodeBits / 8) + (ScalesFor(needs, values) * (sizeof(float) + sizeof(sbyte)));
    }

    /// <summary>Scales that a run of values can need: it may begin and end in the middle of one's values, and of a row.</summary>
    public static int ScalesFor(BufferNeeds needs, int values) => (int)(values / needs.ValuesPerScale) + 4;

    /// <summary>Takes <paramref name="bytes"/> from what is left, or leaves it alone and returns false.</summary>
    public bool TryReserve(long bytes)
    {
        if (Interlocked.Add(ref _available, -bytes) >= 0) return true;
        Interlocked.Add(ref _available, bytes);
        return false;
    }

    public void Release(long bytes) => Interlocked.Add(ref _available, bytes);
}
