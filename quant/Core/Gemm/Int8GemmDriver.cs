using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Quant.Gemm;

/// <summary>
/// Cuts an int8 product into tiles and threads, as <see cref="GemmDriver"/> does the float32 one: the codes of x are
/// rearranged once so that the lanes of a tile are adjacent, weights pass through a small buffer and are read once.
/// </summary>
/// <remarks>Sums of products are exact, and every y is computed from its sum by one expression. So neither threads, cutting
/// nor path show in the bits.</remarks>
internal static unsafe class Int8GemmDriver
{
    /// <summary>Words per row of the weight buffer, and per lane of the x that is kept in the first-level cache meanwhile.</summary>
    public const int RunSteps = 256;

    /// <summary>Words between the rows of the weight buffer. Not a power of two: rows would share cache sets.</summary>
    public const int TileStride = RunSteps + 16;

    /// <summary>Rows of w that one thread takes at a time; a multiple of every tile's rows.</summary>
    public const int ChunkRows = 96;

    /// <summary>Columns whose sum fits an int32 whatever the codes: 2^17 * 128 * 127 is below 2^31. A multiple of every run.</summary>
    public const int StretchColumns = 1 << 17;

    /// <summary>Up to so many rows of x, dot products are faster than tiles with most of their lanes empty.</summary>
    public const int DotRows = 6;

    /// <summary>Rows of x that are rearranged at a time.</summary>
    private const int PanelRows = 512;

    private const nuint Alignment = 64;

    public static void Run<TTile>(in Int8Job job)
        where TTile : struct, IInt8Tile
    {
        if (job.M <= DotRows)
        {
            Int8DotDriver.Run<TTile>(job);
            return;
        }

        for (int first = 0; first < job.M; first += PanelRows)
        {
            var pass = new Pass<TTile>(job.Rows(first, Math.Min(PanelRows, job.M - first)));
            try
            {
                pass.Run();
            }
            finally
            {
                NativeMemory.AlignedFree(pass.Packed);
            }
        }
    }

    /// <summary>The sum of a row's codes in each stretch, times what the tile adds to a weight.</summary>
    public static void Excess<TTile>(in Int8Job job, int row, int* excess, nint stride)
        where TTile : struct, IInt8Tile
    {
        for (int first = 0; first < job.K; first += StretchColumns)
        {
            int sum = 0;
            if (TTile.Offset != 0)
            {
                var codes = new ReadOnlySpan<sbyte>(job.X + (nint)row * job.K + first, Math.Min(StretchColumns, job.K - first));
                foreach (sbyte code in codes) sum += code;
            }

            excess[first / StretchColumns * stride + row] = sum * TTile.Offset;
        }
    }

    /// <summary>One product of up to <see cref="PanelRows"/> rows of x.</summary>
    private readonly struct Pass<TTile>
        where TTile : struct, IInt8Tile
    {
        private readonly Int8Job _job;
        private readonly int _panels;
        private readonly int _lanes;
        private readonly int _stretches;
        private readonly nint _panelWords;
        private readonly int* _excess;

        public Pass(in Int8Job job)
        {
            _job = job;
            _panels = (job.M + TTile.Lanes - 1) / TTile.Lanes;
            _lanes = _panels * TTile.Lanes;
            _stretches = (job.K + StretchColumns - 1) / StretchColumns;
            _panelWords = (nint)((job.K + TTile.Columns - 1) / TTile.Columns) * TTile.Lanes;
            nuint words = (nuint)_panels * (nuint)_panelWords, excess = (nuint)_stretches * (nuint)_lanes;
            Packed = (int*)NativeMemory.AlignedAlloc((words + excess) * sizeof(int), Alignment);
            _excess = Packed + words;
        }

        /// <summary>packed[panel][step][lane], zero in lanes beyond the last row and columns beyond the last; behind it what
        /// is to be subtracted, [stretch][row].</summary>
        public int* Packed { get; }

        private static int RunColumns => RunSteps * TTile.Columns;

        public void Run()
        {
            Pass<TTile> pass = this;
            int runs = (_job.K + RunColumns - 1) / RunColumns;
            WorkSplit.Run(_job.Threads, _panels * runs, item => pass.Pack(item / runs, item % runs * RunColumns));
            WorkSplit.Run(_job.Threads, _job.M, row => Excess<TTile>(pass._job, row, pass._excess, pass._lanes));
            int chunks = (_job.N + ChunkRows - 1) / ChunkRows;
            WorkSplit.Run(_job.Threads, chunks, chunk => pass.Chunk(chunk * ChunkRows));
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Pack(int panel, int first)
        {
            int count = Math.Min(RunColumns, _job.K - first), steps = (count + TTile.Columns - 1) / TTile.Columns;
            int* target = Packed + panel * _panelWords + (nint)(first / TTile.Columns) * TTile.Lanes;
            int* words = stackalloc int[RunSteps];
            for (int lane = 0; lane < TTile.Lanes; lane++)
            {
                int row = panel * TTile.Lanes + lane;
                var codes = new Span<sbyte>(words, steps * 4);
                codes.Clear();
                if (row < _job.M)
                {
                    sbyte* source = _job.X + (nint)row * _job.K + first;
                    if (TTile.Columns == 4) new ReadOnlySpan<sbyte>(source, count).CopyTo(codes);
                    else TTile.Fill(source, count, words);
                }

                for (int step = 0; step < steps; step++) target[step * TTile.Lanes + lane] = words[step];
            }
        }

        /// <summary>All of y for up to <see cref="ChunkRows"/> rows of w.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Chunk(int firstRow)
        {
            int rows = Math.Min(ChunkRows, _job.N - firstRow);
            // 16 more than a power of two could be, so that reading the sums by column does not meet one cache set.
            nint stride = _lanes + 16, count = ChunkRows * stride;
            bool isWide = _stretches > 1;
            nuint bytes = (nuint)(TTile.Rows * TileStride + count) * sizeof(int) + (isWide ? (nuint)count * sizeof(long) : 0);
            int* tile = (int*)NativeMemory.AlignedAlloc(bytes, Alignment);
            int* sums = tile + TTile.Rows * TileStride;
            long* totals = (long*)(sums + count);
            try
            {
                NativeMemory.Clear(tile, bytes);
                for (int first = 0; first < _job.K; first += RunColumns)
                {
                    Multiply(tile, sums, stride, firstRow, rows, first);
                    int next = first + RunColumns;
                    if (isWide && (next >= _job.K || next % StretchColumns == 0)) Collect(sums, totals, stride, rows, first);
                }

                if (isWide) Finish(totals, stride, firstRow, rows);
                else Finish(sums, stride, firstRow, rows);
            }
            finally
            {
                NativeMemory.AlignedFree(tile);
            }
        }

        /// <summary>The sums of one run of columns, added to those of the stretch's runs before it.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Multiply(int* tile, int* sums, nint stride, int firstRow, int rows, int first)
        {
            int count = Math.Min(RunColumns, _job.K - first), steps = (count + TTile.Columns - 1) / TTile.Columns;
            int* x = Packed + (nint)(first / TTile.Columns) * TTile.Lanes;
            for (int row = 0; row < rows; row += TTile.Rows)
            {
                // Rows beyond the last keep what the buffer held; their sums are not used.
                int real = Math.Min(TTile.Rows, rows - row);
                for (int r = 0; r < real; r++)
                {
                    sbyte* source = _job.W + (nint)(firstRow + row + r) * _job.K + first;
                    Fetch(source + count, count);
                    TTile.Fill(source, count, tile + r * TileStride);
                }

                for (int panel = 0; panel < _panels; panel++)
                {
                    int* target = sums + row * stride + panel * TTile.Lanes;
                    TTile.Run(steps, tile, x + panel * _panelWords, target, stride, first % StretchColumns != 0);
                }
            }
        }

        /// <summary>The next run of this row is wanted after the other rows of the chunk: time enough to fetch it. A prefetch
        /// beyond the end of the matrix does nothing.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Fetch(sbyte* line, int count)
        {
            if (!Sse.IsSupported) return;
            for (sbyte* end = line + count; line < end; line += 64) Sse.Prefetch1(line);
        }

        private void Collect(int* sums, long* totals, nint stride, int rows, int column)
        {
            int* excess = _excess + (nint)(column / StretchColumns) * _lanes;
            for (int r = 0; r < rows; r++)
            {
                for (int i = 0; i < _job.M; i++) totals[r * stride + i] += sums[r * stride + i] - excess[i];
            }
        }

        private void Finish(long* totals, nint stride, int firstRow, int rows)
        {
            for (int i = 0; i < _job.M; i++)
            {
                for (int r = 0; r < rows; r++) _job.Finish(i, firstRow + r, totals[r * stride + i]);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Finish(int* sums, nint stride, int firstRow, int rows)
        {
            // Scaled in place first, where rows of x are adjacent and vectors serve; the operations are Int8Job.Finish's.
            for (int r = 0; r < rows; r++)
            {
                float columnScale = _job.ColumnScales[firstRow + r];
                int* row = sums + r * stride;
                int i = 0;
                for (; i <= _job.M - 8; i += 8)
                {
                    Vector256<int> sum = Vector256.Load(row + i) - Vector256.Load(_excess + i);
                    Vector256<float> value = Vector256.ConvertToSingle(sum) * Vector256.Load(_job.RowScales + i);
                    (value * Vector256.Create(columnScale) * Vector256.Create(Int8Job.InverseSquare)).Store((float*)row + i);
                }

                for (; i < _job.M; i++)
                {
                    ((float*)row)[i] = (float)(row[i] - _excess[i]) * _job.RowScales[i] * columnScale * Int8Job.InverseSquare;
                }
            }

            for (int i = 0; i < _job.M; i++)
            {
                float* y = _job.Y + (nint)i * _job.N + firstRow;
                float* values = (float*)sums + i;
                if (_job.Add)
                {
                    for (int r = 0; r < rows; r++) y[r] = values[r * stride] + y[r];
                }
                else
                {
                    for (int r = 0; r < rows; r++) y[r] = values[r * stride];
                }
            }
        }
    }
}
