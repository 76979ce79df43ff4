using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bnb.Quant.Gemm;

/// <summary>The int8 product with a few rows of x: dot products, each row of w read from memory once.</summary>
internal static unsafe class Int8DotDriver
{
    /// <summary>Rows of w that a thread takes at a time.</summary>
    private const int ChunkRows = 64;

    public static void Run<TTile>(Int8Job job)
        where TTile : struct, IInt8Tile
    {
        int stretches = (job.K + Int8GemmDriver.StretchColumns - 1) / Int8GemmDriver.StretchColumns;
        int* excess = (int*)NativeMemory.Alloc((nuint)stretches * (nuint)job.M, sizeof(int));
        try
        {
            for (int row = 0; row < job.M; row++) Int8GemmDriver.Excess<TTile>(job, row, excess, job.M);
            int chunks = (job.N + ChunkRows - 1) / ChunkRows;
            WorkSplit.Run(job.Threads, chunks, chunk => Chunk<TTile>(job, excess, chunk * ChunkRows));
        }
        finally
        {
            NativeMemory.Free(excess);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Chunk<TTile>(in Int8Job job, int* excess, int firstRow)
        where TTile : struct, IInt8Tile
    {
        for (int row = firstRow; row < Math.Min(firstRow + ChunkRows, job.N); row++)
        {
            sbyte* w = job.W + (nint)row * job.K;
            for (int i = 0; i < job.M; i++)
            {
                sbyte* x = job.X + (nint)i * job.K;
                int* subtract = excess + i;
                long sum = 0;
                for (int first = 0; first < job.K; first += Int8GemmDriver.StretchColumns)
                {
                    int count = Math.Min(Int8GemmDriver.StretchColumns, job.K - first);
                    // Both may have wrapped around; the difference does not leave the int32 range.
                    sum += TTile.Dot(count, w + first, x + first) - *subtract;
                    subtract += job.M;
                }

                job.Finish(i, row, sum);
            }
        }
    }
}
