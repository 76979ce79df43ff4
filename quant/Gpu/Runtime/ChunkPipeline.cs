using Bnb.Quant.Numerics;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Runtime;

/// <summary>
/// Streams data through a device in chunks, two at a time: while one is computed or copied, the other's bytes are moved by
/// the CPU between the caller's memory and the page-locked mirrors.
/// </summary>
internal sealed class ChunkPipeline(Accelerator accelerator)
{
    private const int SlotCount = 2;

    private readonly ChunkSlot[] _slots = [new(accelerator), new(accelerator)];

    /// <summary>The slot for work that is one chunk.</summary>
    public ChunkSlot First => _slots[0];

    /// <summary>What there is to dispose, each on its own because each can fail.</summary>
    public IEnumerable<IDisposable> Parts => _slots.SelectMany(slot => slot.Parts);

    /// <summary>Values in a chunk: a multiple of 4096, so of every block size, whose buffers in both slots stay within the
    /// memory, but no more than there are.</summary>
    /// <param name="bench">Memory and largest chunk.</param>
    /// <param name="bytesPerValue">In and out together.</param>
    /// <param name="count">How many values there are.</param>
    public static long Step(Workbench bench, double bytesPerValue, long count) =>
        Step(bench, bench.MaxDeviceMemoryBytes, bytesPerValue, count);

    /// <summary>The same within a part of the memory, at least of 2 MiB.</summary>
    public static long Step(Workbench bench, long memory, double bytesPerValue, long count)
    {
        const int Whole = BlockGrid.LargestBlocksize;
        // What the tables and the padding of the buffers take is far below the megabyte that is left for them.
        long fitting = (long)((memory - (1 << 20)) / (SlotCount * bytesPerValue)) / Whole * Whole;
        return Math.Min(Math.Min(bench.LargestChunk, fitting), (count + Whole - 1) / Whole * Whole);
    }

    /// <summary>Runs all chunks. <paramref name="launch"/> starts the kernel on a slot's stream; it gets the chunk's
    /// number.</summary>
    public void Run(long chunks, Lane source, Lane sourceScales, Lane result, Lane resultScales, Action<ChunkSlot, long> launch) =>
        Run(chunks, new Lanes { In = source, InScales = sourceScales, Out = result, OutScales = resultScales }, launch);

    /// <summary>The same with all lanes there are.</summary>
    public void Run(long chunks, Lanes lanes, Action<ChunkSlot, long> launch)
    {
        long used = Math.Min(chunks, _slots.Length);
        try
        {
            for (int i = 0; i < used; i++)
            {
                _slots[i].In.Reserve(lanes.In.Step);
                _slots[i].InScales.Reserve(lanes.InScales.Step);
                _slots[i].InZeros.Reserve(lanes.InZeros.Step);
                _slots[i].Out.Reserve(lanes.Out.Step);
                _slots[i].OutScales.Reserve(lanes.OutScales.Step);
                _slots[i].OutZeros.Reserve(lanes.OutZeros.Step);
            }

            for (long chunk = 0; chunk < chunks + used; chunk++)
            {
                ChunkSlot slot = _slots[chunk % used];
                Finish(slot, lanes);
                if (chunk < chunks) Start(slot, chunk, lanes, launch);
            }
        }
        finally
        {
            // The next run must not take what a failed one left.
            foreach (ChunkSlot slot in _slots) slot.Chunk = -1;
        }
    }

    private static void Start(ChunkSlot slot, long chunk, Lanes lanes, Action<ChunkSlot, long> launch)
    {
        slot.In.Send(slot.Stream, lanes.In.Of(chunk));
        if (lanes.InScales.Step > 0) slot.InScales.Send(slot.Stream, lanes.InScales.Of(chunk));
        if (lanes.InZeros.Step > 0) slot.InZeros.Send(slot.Stream, lanes.InZeros.Of(chunk));
        launch(slot, chunk);
        slot.Out.Fetch(slot.Stream, lanes.Out.Of(chunk).Length);
        if (lanes.OutScales.Step > 0) slot.OutScales.Fetch(slot.Stream, lanes.OutScales.Of(chunk).Length);
        if (lanes.OutZeros.Step > 0) slot.OutZeros.Fetch(slot.Stream, lanes.OutZeros.Of(chunk).Length);
        slot.Chunk = chunk;
    }

    private static void Finish(ChunkSlot slot, Lanes lanes)
    {
        if (slot.Chunk < 0) return;
        slot.Stream.Synchronize();
        slot.Out.Take(lanes.Out.Of(slot.Chunk));
        if (lanes.OutScales.Step > 0) slot.OutScales.Take(lanes.OutScales.Of(slot.Chunk));
        if (lanes.OutZeros.Step > 0) slot.OutZeros.Take(lanes.OutZeros.Of(slot.Chunk));
        slot.Chunk = -1;
    }
}
