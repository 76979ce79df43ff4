using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bnb.Quant.Gemm;

/// <summary>
/// Cuts a matrix product into tiles and threads. Rows of x are rearranged once so that the lanes of a tile are adjacent;
/// weights pass through a small buffer, 256 columns of a few rows, which stays in the first-level cache.
/// </summary>
/// <remarks>Every sum is made by one thread: runs of 256 products in order, then the runs' sums in order. So neither the
/// number of threads nor the cutting shows in the bits.</remarks>
internal static unsafe class GemmDriver
{
    /// <summary>Products that are summed before their sum is added to the total; the longest chain of additions is
    /// this plus the number of runs.</summary>
    public const int RunLength = 256;

    /// <summary>Floats between the rows of the weight buffer. Not a power of two: rows would share cache sets.</summary>
    public const int TileStride = RunLength + 16;

    /// <summary>Rows of w that one thread takes at a time; a multiple of every tile's rows.</summary>
    public const int ChunkRows = 96;

    /// <summary>Rows of x that are rearranged at a time.</summary>
    public const int PanelRows = 512;

    private const nuint Alignment = 64;

    /// <param name="prepared">What <see cref="PackAll"/> made of the rows of x, or null to rearrange them now.</param>
    public static void Run<TTile, TRows>(in GemmJob job, TRows rows, float* prepared = null)
        where TTile : struct, IGemmTile
        where TRows : struct, IWeightRows
    {
        if (job.M == 0 || job.N == 0) return;
        if (job.K == 0)
        {
            NativeMemory.Clear(job.Y, (nuint)job.M * (nuint)job.N * sizeof(float));
            return;
        }

        // One value at a time there is nothing to gain, and the chain of additions would be longer.
        if (job.M == 1 && TTile.Lanes > 1)
        {
            GemvDriver.Run<TTile, TRows>(job, rows);
            return;
        }

        for (int first = 0; first < job.M; first += PanelRows)
        {
            GemmJob part = job.Rows(first, Math.Min(PanelRows, job.M - first));
            int panels = (part.M + TTile.Lanes - 1) / TTile.Lanes;
            if (prepared != null)
            {
                Multiply<TTile, TRows>(part, rows, prepared + ((nint)first * job.K), panels);
                continue;
            }

            nuint bytes = (nuint)panels * (nuint)TTile.Lanes * (nuint)job.K * sizeof(float);
            float* packed = (float*)NativeMemory.AlignedAlloc(bytes, Alignment);
            try
            {
                PackRows<TTile>(part, rows.InPairs, packed, panels);
                Multiply<TTile, TRows>(part, rows, packed, panels);
            }
            finally
            {
                NativeMemory.AlignedFree(packed);
            }
        }
    }

    /// <summary>Floats that all rows of x take when they are rearranged; passes begin at multiples of every tile's lanes.</summary>
    public static long PackedFloats<TTile>(int m, int k)
        where TTile : struct, IGemmTile => (long)((m + TTile.Lanes - 1) / TTile.Lanes) * TTile.Lanes * k;

    /// <summary>Rearranges all rows of x, as they are.</summary>
    public static void PackAll<TTile>(in GemmJob job, float* packed)
        where TTile : struct, IGemmTile
    {
        if (job.K > 0) PackRows<TTile>(job, inPairs: false, packed, (job.M + TTile.Lanes - 1) / TTile.Lanes);
    }

    private static void PackRows<TTile>(GemmJob job, bool inPairs, float* packed, int panels)
        where TTile : struct, IGemmTile
    {
        int runs = (job.K + RunLength - 1) / RunLength;
        WorkSplit.Run(
            job.Threads, panels * runs, item => Pack<TTile>(job, inPairs, item / runs, item % runs * RunLength, packed));
    }

    private static void Multiply<TTile, TRows>(GemmJob job, TRows rows, float* packed, int panels)
        where TTile : struct, IGemmTile
        where TRows : struct, IWeightRows
    {
        int chunks = (job.N + ChunkRows - 1) / ChunkRows;
        WorkSplit.Run(job.Threads, chunks, chunk => Chunk<TTile, TRows>(job, rows, packed, panels, chunk * ChunkRows));
    }

    /// <summary>One run of columns of one panel of x: packed[panel][p][lane], lanes beyond the last row zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pack<TTile>(in GemmJob job, bool inPairs, int panel, int first, float* packed)
        where TTile : struct, IGemmTile
    {
        int count = Math.Min(RunLength, job.K - first);
        float* row = stackalloc float[RunLength];
        float* target = packed + ((nint)panel * job.K + first) * TTile.Lanes;
        for (int lane = 0; lane < TTile.Lanes; lane++)
        {
            job.Load(panel * TTile.Lanes + lane, first, count, row);
            if (inPairs) GemvDriver.SplitPairs(row, count);
            for (int p = 0; p < count; p++) target[p * TTile.Lanes + lane] = row[p];
        }
    }

    /// <summary>All sums of up to <see cref="ChunkRows"/> rows of w with all rows of x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Chunk<TTile, TRows>(in GemmJob job, TRows rows, float* packed, int panels, int firstRow)
        where TTile : struct, IGemmTile
        where TRows : struct, IWeightRows
    {
        int chunkRows = Math.Min(ChunkRows, job.N - firstRow);
        // 16 floats more than a power of two could be, so that reading the sums by column does not meet one cache set.
        nint stride = panels * TTile.Lanes + 16;
        nuint floats = (nuint)(TTile.Rows * TileStride) + (nuint)ChunkRows * (nuint)stride;
        float* tile = (float*)NativeMemory.AlignedAlloc(floats * sizeof(float), Alignment);
        float* sums = tile + TTile.Rows * TileStride;
        try
        {
            NativeMemory.Clear(tile, (nuint)(TTile.Rows * TileStride) * sizeof(float));
            for (int first = 0; first < job.K; first += RunLength)
            {
                int count = Math.Min(RunLength, job.K - first);
                for (int row = 0; row < chunkRows; row += TTile.Rows)
                {
                    // Rows beyond the last keep what the buffer held; their sums are not used.
                    int real = Math.Min(TTile.Rows, chunkRows - row);
                    for (int r = 0; r < real; r++) rows.Fill(firstRow + row + r, first, count, tile + r * TileStride);
                    for (int panel = 0; panel < panels; panel++)
                    {
                        float* x = packed + ((nint)panel * job.K + first) * TTile.Lanes;
                        TTile.Run(count, tile, x, sums + row * stride + panel * TTile.Lanes, stride, first != 0);
                    }
                }
            }

            for (int i = 0; i < job.M; i++)
            {
                float* y = job.Y + (nint)i * job.N + firstRow;
                for (int r = 0; r < chunkRows; r++) y[r] = sums[r * stride + i];
            }
        }
        finally
        {
            NativeMemory.AlignedFree(tile);
        }
    }
}
