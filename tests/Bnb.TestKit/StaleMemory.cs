using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bnb.TestKit;

/// <summary>
/// Leaves 0xCD in the memory that this process hands out next: in the arrays of the shared pools, and in the parts of the heap that arrays
/// without initialization are cut from. A fresh process finds zeros there, so what is read before it is written shows as other bytes.
/// Until it is disposed of.
/// </summary>
public sealed class StaleMemory : IDisposable
{
    private const byte Stale = 0xCD;
    private const int LargestRented = 1 << 20;
    private const int BytesOfASize = 16 << 20;
    private static readonly int[] HeapSizes = [16 << 10, 96 << 10, 512 << 10, 2 << 20];

    private readonly List<byte[]> _neighbours = [];

    /// <summary>Fills both.</summary>
    public StaleMemory()
    {
        FillPool<byte>();
        FillPool<float>();
        FillHeap(_neighbours);
        GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: false);
    }

    /// <summary>Which share of the bytes of pinned and rented arrays is stale now: what filling came to.</summary>
    public static double Share()
    {
        long stale = 0, all = 0;
        foreach (int size in HeapSizes)
        {
            byte[] fresh = GC.AllocateUninitializedArray<byte>(size, pinned: true);
            byte[] rented = ArrayPool<byte>.Shared.Rent(Math.Min(size, LargestRented));
            stale += fresh.AsSpan().Count(Stale) + rented.AsSpan().Count(Stale);
            all += fresh.Length + rented.Length;
            ArrayPool<byte>.Shared.Return(rented);
        }

        return (double)stale / all;
    }

    /// <inheritdoc />
    public void Dispose() => _neighbours.Clear();

    /// <summary>More of each size than one thread keeps for itself: the others find the rest.</summary>
    private static void FillPool<T>() where T : unmanaged
    {
        for (int size = 16; size <= LargestRented; size *= 2)
        {
            T[][] rented = [.. Enumerable.Range(0, 8).Select(_ => ArrayPool<T>.Shared.Rent(size))];
            foreach (T[] array in rented)
            {
                MemoryMarshal.AsBytes(array.AsSpan()).Fill(Stale);
                ArrayPool<T>.Shared.Return(array);
            }
        }
    }

    /// <summary>
    /// Arrays of which every other is let go: between those that stay the collector leaves gaps as they are, where it would give whole
    /// empty regions back to the system.
    /// </summary>
    // Not inlined, so that nothing of it is left on the caller's frame.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void FillHeap(List<byte[]> neighbours)
    {
        foreach (int size in HeapSizes)
        {
            foreach (bool pinned in (bool[])[true, false])
            {
                for (int filled = 0; filled < BytesOfASize; filled += 2 * size)
                {
                    GC.AllocateUninitializedArray<byte>(size, pinned).AsSpan().Fill(Stale);
                    byte[] neighbour = GC.AllocateUninitializedArray<byte>(size / 8, pinned);
                    neighbours.Add(neighbour);
                }
            }
        }
    }
}
