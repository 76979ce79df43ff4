using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bnb.Quant.Gemm;

/// <summary>The product with a single row of x: a dot product per row of w, bound by reading w.</summary>
/// <remarks>Every sum is made by one thread, so the number of threads does not show in the bits.</remarks>
internal static unsafe class GemvDriver
{
    /// <summary>Columns after which lanes are summed into the total. Keeps chains of additions no longer than
    /// <see cref="GemmBounds.Depth"/>: at the narrowest 2048 / 16 per lane, 4 between lanes, 15 of a remainder.</summary>
    public const int RunLength = 2048;

    /// <summary>Rows of w that a thread takes at a time.</summary>
    private const int ChunkRows = 64;

    public static void Run<TTile, TRows>(GemmJob job, TRows rows)
        where TTile : struct, IGemmTile
        where TRows : struct, IWeightRows
    {
        float* x = (float*)NativeMemory.AlignedAlloc((nuint)job.K * sizeof(float), 64);
        try
        {
            job.Load(0, 0, job.K, x);
            if (rows.InPairs) SplitPairs(x, job.K);
            int chunks = (job.N + ChunkRows - 1) / ChunkRows;
            WorkSplit.Run(job.Threads, chunks, chunk => Chunk<TTile, TRows>(job, rows, x, chunk * ChunkRows));
        }
        finally
        {
            NativeMemory.AlignedFree(x);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Chunk<TTile, TRows>(in GemmJob job, TRows rows, float* x, int firstRow)
        where TTile : struct, IGemmTile
        where TRows : struct, IWeightRows
    {
        for (int row = firstRow; row < Math.Min(firstRow + ChunkRows, job.N); row++)
        {
            float sum = 0;
            for (int first = 0; first < job.K; first += RunLength)
            {
                int count = Math.Min(RunLength, job.K - first);
                sum += rows.Dot<TTile>(row, first, count, x + first);
            }

            job.Y[row] = sum;
        }
    }

    /// <summary>Moves the 16 values of even index in front of the odd ones, in every 32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SplitPairs(float* x, int count)
    {
        float* odd = stackalloc float[16];
        for (int group = 0; group < count; group += 32)
        {
            float* values = x + group;
            for (int i = 0; i < 16; i++)
            {
                odd[i] = values[2 * i + 1];
                values[i] = values[2 * i];
            }

            for (int i = 0; i < 16; i++) values[16 + i] = odd[i];
        }
    }
}
