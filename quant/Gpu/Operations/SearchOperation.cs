using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.Quant.Search;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary>Searched scales and their codes on a device: the same bytes as <see cref="SearchBlocks4"/>,
/// <see cref="SearchGroups4"/> and <see cref="SearchRows8"/>. Per chunk one copy in, two kernels or three, one copy out.</summary>
internal unsafe ref struct SearchOperation : IOperation
{
    private const int Slots = 2;

    private readonly SearchForm _form;
    private readonly ElementType _type;
    private readonly int _blocksize;
    private readonly ReadOnlySpan<byte> _source;
    private readonly ColumnImportance _importance;
    private readonly Span<byte> _scales, _nested, _codes;

    /// <param name="blocksize">Values of a block, group or row.</param>
    /// <param name="scales">One per block, as the form stores them.</param>
    /// <param name="nested">One float32 per 256 blocks where the form is nested.</param>
    /// <param name="codes">Packed as the form packs them.</param>
    public SearchOperation(
        SearchForm form,
        ElementType type,
        int blocksize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<byte> scales,
        Span<byte> nested,
        Span<byte> codes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blocksize);
        int count = Operands.WholeValues(type, source.Length, nameof(source));
        long blocks = BlockGrid.BlockCount(count, blocksize);
        BlockGrid.CheckLength(nameof(scales), blocks * form.ScaleBytes, scales.Length);
        BlockGrid.CheckLength(nameof(nested), form.IsNested ? BlockGrid.BlockCount(blocks, NestedBlocks) * sizeof(float) : 0, nested.Length);
        BlockGrid.CheckLength(nameof(codes), ((long)count + form.CodesPerByte - 1) / form.CodesPerByte, codes.Length);
        (_form, _type, _blocksize) = (form, type, blocksize);
        _source = source;
        _importance = importance;
        _scales = scales;
        _nested = nested;
        _codes = codes;
    }

    private delegate void ValuesLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<byte> source,
        ArrayView<float> x,
        ArrayView<float> absmax,
        ArrayView<int> nonFinite,
        int blocksize,
        int stride,
        int count,
        int half);

    private delegate void WeightsLauncher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<float> columns,
        ArrayView<float> weights,
        int firstColumn,
        int blocksize,
        int stride,
        int count);

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<float> x,
        ArrayView<float> weights,
        ArrayView<float> absmax,
        ArrayView<float> starts,
        ArrayView<float> dynamic,
        ArrayView<long> buckets,
        ArrayView<float> values,
        ArrayView<byte> scales,
        ArrayView<float> nested,
        ArrayView<byte> packed,
        SearchShape shape);

    /// <summary>Whether all values are finite; when not, the output is not defined.</summary>
    public bool AllFinite { get; private set; } = true;

    private const int NestedBlocks = Bnb.Quant.Nested.NestedAbsmax.Blocksize;

    /// <summary>Whether the device has float64 and the memory limit lets it hold the least that is searched at once: a block, with nested
    /// scales 256.</summary>
    public static bool Fits(Workbench bench, SearchForm form, ElementType type, int blocksize, int columns) =>
        bench.HasFloat64 && Step(bench, form, type, blocksize, columns) > 0;

    public void Run(Workbench bench)
    {
        if (!bench.HasFloat64) throw new GpuException($"{bench.Device.Id}: a search for scales needs float64, which the device lacks");
        int size = _type.Size(), blocksize = _blocksize, columns = _importance.Columns.Length, count = _source.Length / size;
        if (count == 0) return;
        long most = Step(bench, _form, _type, blocksize, columns);
        if (most == 0)
        {
            throw new GpuException(
                $"{bench.Device.Id}: a search in blocks of {blocksize} values exceeds the memory limit of {bench.MaxDeviceMemoryBytes} bytes");
        }

        long step = Math.Min(most, BlockGrid.BlockCount(count, blocksize) * blocksize), blocks = step / blocksize;
        int stride = Stride(blocksize);
        ChunkKernels kernels = Kernels(bench);
        using var columnBuffer = bench.Accelerator.Allocate1D(columns == 0 ? [0f] : _importance.Columns.ToArray());
        using var starts = bench.Accelerator.Allocate1D(_form.Starts);
        long x = blocks * stride, perSlot = x + (columns == 0 ? 0 : x) + ((blocks + 3) & ~3);
        using var scratch = bench.Accelerator.Allocate1D<float>(Slots * perSlot);
        bench.Accelerator.Synchronize();
        bench.NonFinite.Clear();
        SearchForm form = _form;
        long firstColumn = _importance.First;
        fixed (byte* values = _source, codes = _codes, scales = _scales, nested = _nested)
        {
            var lanes = new Lanes
            {
                In = new Lane(values, _source.Length, step * size),
                Out = new Lane(codes, _codes.Length, step / form.CodesPerByte),
                OutScales = new Lane(scales, _scales.Length, blocks * form.ScaleBytes),
                OutZeros = form.IsNested ? new Lane(nested, _nested.Length, blocks / NestedBlocks * sizeof(float)) : Lane.None,
            };
            if (form.IsNested && step >= count) lanes = lanes with { OutZeros = new Lane(nested, _nested.Length, _nested.Length) };
            bench.Pipeline.Run((count + step - 1) / step, lanes, (slot, chunk) => kernels.Start(
                slot,
                scratch.View.SubView(chunk % Slots * perSlot, perSlot),
                columns == 0 ? ArrayView<float>.Empty : columnBuffer.View,
                starts.View,
                columns == 0 ? 0 : (int)((firstColumn + chunk * step) % columns),
                new SearchShape
                {
                    Blocksize = blocksize,
                    Stride = stride,
                    Count = (int)Math.Min(step, count - chunk * step),
                    Blocks = (int)BlockGrid.BlockCount((int)Math.Min(step, count - chunk * step), blocksize),
                    Weighted = columns == 0 ? 0 : 1,
                    Smallest = form.Smallest,
                    Largest = form.Largest,
                    Slack = SearchMargin.Slack(stride),
                    Floor = SearchMargin.Floor(stride),
                }));
        }

        AllFinite = !bench.NonFinite.IsSet;
    }

    private static int Stride(int blocksize) => (blocksize + 15) & ~15;

    /// <summary>Values of a chunk: whole blocks, of nested ones whole groups; 0 where the memory limit allows none.</summary>
    private static long Step(Workbench bench, SearchForm form, ElementType type, int blocksize, int columns)
    {
        long unit = form.IsNested ? (long)NestedBlocks * blocksize : blocksize;
        double perValue = type.Size() + 1.0 / form.CodesPerByte + ((double)Stride(blocksize) / blocksize * (columns == 0 ? 4 : 8))
            + ((8.0 + form.ScaleBytes) / blocksize);
        long fitting = (long)((bench.MaxDeviceMemoryBytes - (1 << 20) - 4L * columns) / (Slots * perValue)) / unit * unit;
        return Math.Max(0, Math.Min(fitting, Math.Max(unit, bench.LargestChunk / unit * unit)));
    }

    private readonly ChunkKernels Kernels(Workbench bench)
    {
        var prepare = bench.Kernels.Get<ValuesLauncher>(typeof(SearchValuesKernel), KernelTypes.Of(_type));
        var weigh = bench.Kernels.Get<WeightsLauncher>(typeof(SearchWeightsKernel));
        var search = bench.Kernels.Get<Launcher>(typeof(SearchKernel), _form.Table, _form.Scales);
        // Integers use no tables; their kernels copy them all the same.
        CodeTables tables = bench.TablesOf(_form.Table == typeof(SearchedCode<RankedFp4>) ? Code4Catalog.Fp4 : Code4Catalog.Nf4);
        return new ChunkKernels(bench, prepare, weigh, search, tables, _form.Table == typeof(SearchedInt8));
    }

    private sealed record ChunkKernels(
        Workbench Bench, ValuesLauncher Prepare, WeightsLauncher Weigh, Launcher Search, CodeTables Tables, bool RoundsToHalf)
    {
        public void Start(
            ChunkSlot slot, ArrayView<float> scratch, ArrayView<float> columns, ArrayView<float> starts, int firstColumn, SearchShape shape)
        {
            long values = (long)shape.Blocks * shape.Stride;
            KernelConfig config = (shape.Blocks, SearchKernel.Threads);
            // In this order, so that values and weights begin at multiples of 16 bytes.
            ArrayView<float> x = scratch.SubView(0, values), weights = shape.Weighted == 0 ? x : scratch.SubView(values, values);
            ArrayView<float> absmax = scratch.SubView(scratch.Length - ((shape.Blocks + 3) & ~3), shape.Blocks);
            Prepare(
                slot.Stream, config, slot.In.View, x, absmax, Bench.NonFinite.View, shape.Blocksize, shape.Stride, shape.Count, RoundsToHalf ? 1 : 0);
            if (shape.Weighted != 0) Weigh(slot.Stream, config, columns, weights, firstColumn, shape.Blocksize, shape.Stride, shape.Count);
            Search(
                slot.Stream,
                config,
                x,
                weights,
                absmax,
                starts,
                Bench.Dynamic.Values,
                Tables.Buckets,
                Tables.Values,
                slot.OutScales.View,
                slot.OutZeros.View.Length == 0 ? absmax : slot.OutZeros.View.Cast<float>(),
                slot.Out.View,
                shape);
        }
    }
}
