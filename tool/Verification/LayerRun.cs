using Bnb.Quant;
using Bnb.Tool.Pipeline;

namespace Bnb.Tool.Verification;

/// <summary>
/// The three levels on one layer, in panels of whole weight rows that any worker may take. A block belongs to the panel its
/// first value lies in, so that each is compared once though rows and blocks do not end together.
/// </summary>
internal sealed class LayerRun
{
    private const long LargestPreload = 64 << 20;

    private readonly LayerPlan _layer;
    private readonly TensorSource _source;
    private readonly Activations? _activations;
    private readonly ElementType _computeType;
    private readonly KernelPath _path;
    private readonly Lock _lock = new();
    private readonly long _panelRows;
    private PanelResult?[] _panels;
    private long _panelsLeft;
    private PackedReader? _reader;
    private byte[]? _preloaded;
    private double[] _absmaxSums = [];

    public LayerRun(LayerPlan layer, TensorSource source, Activations? activations, ElementType computeType, KernelPath path)
    {
        (_layer, _source, _activations, _computeType, _path) = (layer, source, activations, computeType, path);
        _panelRows = VerifySizes.RowsOf(layer.Weight.Rows, layer.Weight.Columns);
        PanelCount = layer.Weight.ValueCount == 0 ? 1 : (int)((layer.Weight.Rows + _panelRows - 1) / _panelRows);
        _panels = new PanelResult?[PanelCount];
        _panelsLeft = PanelCount;
    }

    public int PanelCount { get; }

    public LayerPlan Layer => _layer;

    /// <summary>Whether the stored code tables are those of the type. The kernels decode by their own and ignore quant_map.</summary>
    public bool HasStandardTables { get; private set; }

    /// <summary>The float32 mean of the source's absmax values; valid when every panel is done and the layer is nested.</summary>
    public float OwnOffset => AbsmaxMean.Of(_absmaxSums, _layer.Weight.BlockCount);

    /// <summary>Tensor bytes of both sides.</summary>
    public long Bytes => _layer.Source.Source.ByteCount + _layer.Weight.Parts.Sum(part => part.ByteCount);

    /// <summary>True when it was the last panel; then <see cref="Merged"/> may be asked.</summary>
    public bool Process(int panel, VerifyBuffers buffers)
    {
        BeginOnce();
        var result = new PanelResult();
        if (_layer.Weight.ValueCount > 0) Measure(panel, buffers, result);
        _panels[panel] = result;
        return Interlocked.Decrement(ref _panelsLeft) == 0;
    }

    /// <summary>
    /// Whether the stored codes are those of the source transposed; asked only when they are not those of the source. Looks
    /// at the first values, which tell.
    /// </summary>
    public bool LooksTransposed()
    {
        Quantization quantization = _layer.Source.Quantization!;
        int blocksize = _layer.Weight.State.Blocksize;
        int count = (int)Math.Min(_layer.Weight.ValueCount, Math.Max(4096, blocksize));
        var buffers = new WorkerBuffers(count * 8, count * 8, (count + 1) / 2, (count / blocksize) + 1);
        TensorPlan other = _layer.Source with
        {
            Quantization = quantization with { Rows = quantization.Columns, Columns = quantization.Rows, Transpose = !quantization.Transpose },
        };
        ReadOnlySpan<byte> values = _source.ReadValues(other, 0, count, buffers, null);
        Span<byte> packed = buffers.Packed;
        Quantize4.Run(
            _layer.Code, quantization.ElementType, blocksize, values, buffers.Absmax.AsSpan(0, (count + blocksize - 1) / blocksize), packed, _path);
        var found = new byte[packed.Length];
        _reader!.ReadCodes(0, found);
        int equal = 0;
        for (int i = 0; i < found.Length; i++)
        {
            if (found[i] == packed[i]) equal++;
        }

        return equal > found.Length * 9 / 10;
    }

    public PanelResult Merged()
    {
        var merged = new PanelResult();
        foreach (PanelResult? panel in _panels) merged.Merge(panel!);
        _panels = [];
        _preloaded = null;
        return merged;
    }

    private void BeginOnce()
    {
        lock (_lock)
        {
            if (_reader is not null) return;
            if (_layer.Weight.IsNested)
                _absmaxSums = new double[(_layer.Weight.BlockCount + NestedAbsmax.Blocksize - 1) / NestedAbsmax.Blocksize];
            long bytes = _layer.Source.Source.ByteCount;
            // Gathering columns from disk is slow; weights of the Conv1D family are small enough to hold.
            if (_layer.Source.Quantization!.Transpose && bytes <= LargestPreload)
            {
                byte[] stored = new byte[bytes];
                _source.ReadBytes(_layer.Source.Source, 0, stored);
                _preloaded = stored;
            }

            var reader = new PackedReader(_layer.Weight, _source);
            HasStandardTables = reader.QuantMap.AsSpan().SequenceEqual(_layer.Code.Values.Span)
                && (!_layer.Weight.IsNested || reader.NestedMap.SequenceEqual(DynamicCode8.Values));
            _reader = reader;
        }
    }

    private void Measure(int panel, VerifyBuffers buffers, PanelResult result)
    {
        var weight = _layer.Weight;
        int blocksize = weight.State.Blocksize;
        long columns = weight.Columns, unit = VerifySizes.UnitOf(_layer);
        long firstRow = panel * _panelRows, rows = Math.Min(_panelRows, weight.Rows - firstRow);
        long start = firstRow * columns, end = start + (rows * columns);
        long ownStart = Math.Min(RoundUp(start, unit), weight.ValueCount), ownEnd = Math.Min(RoundUp(end, unit), weight.ValueCount);
        long readEnd = Math.Max(end, ownEnd);

        // The source, from the panel's first value to the end of the last block that begins in it.
        int count = (int)(readEnd - start), panelCount = (int)(end - start);
        ReadOnlySpan<byte> stored = _source.ReadValues(_layer.Source, start, count, buffers.Source, _preloaded);
        Span<float> source = buffers.SourceValues.AsSpan(0, count);
        Widen.ToSingle(_layer.Source.Quantization!.ElementType, stored, source);

        // The packed form, from the start of the block the panel begins in; absmax from the start of its nested block.
        long codeStart = start / blocksize * blocksize;
        int phase = (int)(start - codeStart);
        Span<byte> codes = buffers.FoundCodes.AsSpan(0, (int)((readEnd - codeStart + 1) / 2));
        _reader!.ReadCodes(codeStart, codes);
        long absmaxStart = codeStart / unit * (unit / blocksize);
        Span<float> absmax = buffers.FoundAbsmax.AsSpan(0, (int)(((readEnd + blocksize - 1) / blocksize) - absmaxStart));
        _reader.ReadAbsmax(absmaxStart, absmax, buffers.NestedCodes);
        Span<float> panelAbsmax = absmax[(int)((codeStart / blocksize) - absmaxStart)..];

        if (ownEnd > ownStart)
        {
            CompareStored(
                result, ownStart, ownEnd, stored[(int)((ownStart - start) * stored.Length / count)..(int)((ownEnd - start) * stored.Length / count)],
                source[(int)(ownStart - start)..(int)(ownEnd - start)],
                codes[(int)((ownStart - codeStart) / 2)..(int)((ownEnd - codeStart + 1) / 2)], absmax, absmaxStart, buffers);
        }

        Span<float> decoded = buffers.DecodedValues.AsSpan(0, phase + panelCount);
        int blocks = (phase + panelCount + blocksize - 1) / blocksize;
        Dequantize4.Run(_layer.Code, blocksize, codes[..((phase + panelCount + 1) / 2)], panelAbsmax[..blocks], decoded, _path);
        decoded = decoded[phase..];
        source = source[..panelCount];
        result.Weight.Add(source, decoded);
        CountCodes(result, codes, phase, source, decoded, panelAbsmax, blocksize);
        if (_activations is not null) PanelProducts.Measure(
            result, _activations.For(weight.Name, columns), (int)rows, (int)columns, source, decoded, _computeType,
            new PackedPanel(_layer.Code, blocksize, phase, codes, panelAbsmax), buffers, _path);
    }

    private void CompareStored(
        PanelResult result, long ownStart, long ownEnd, ReadOnlySpan<byte> stored, ReadOnlySpan<float> source,
        ReadOnlySpan<byte> foundCodes, ReadOnlySpan<float> foundAbsmax, long absmaxStart, VerifyBuffers buffers)
    {
        int blocksize = _layer.Weight.State.Blocksize;
        int blocks = (int)((ownEnd - ownStart + blocksize - 1) / blocksize);
        Span<float> absmax = buffers.Source.Absmax.AsSpan(0, blocks);
        Span<byte> packed = buffers.Source.Packed.AsSpan(0, foundCodes.Length);
        Quantize4.Run(_layer.Code, _layer.Source.Quantization!.ElementType, blocksize, stored, absmax, packed, _path);

        CodeComparison.Counts counts = CodeComparison.Compare(_layer.Code, blocksize, packed, foundCodes, source, absmax);
        result.Codes = counts with { First = counts.First < 0 ? -1 : ownStart + counts.First };
        result.Compared = ownEnd - ownStart;

        long firstBlock = ownStart / blocksize;
        if (!_layer.Weight.IsNested)
        {
            result.Absmax = AbsmaxComparison.ComparePlain(absmax, foundAbsmax.Slice((int)(firstBlock - absmaxStart), blocks));
            return;
        }

        AbsmaxMean.BlockSums(absmax, _absmaxSums.AsSpan((int)(firstBlock / NestedAbsmax.Blocksize)));
        Span<byte> nestedCodes = buffers.NestedCodes.AsSpan(0, blocks);
        _reader!.ReadNested(firstBlock, nestedCodes, out float[] nested);
        result.Absmax = AbsmaxComparison.CompareNested(
            absmax, _layer.Weight.State.NestedOffset!.Value, nestedCodes, nested, _reader.NestedMap, _path);
    }

    private static void CountCodes(
        PanelResult result, ReadOnlySpan<byte> codes, int phase, ReadOnlySpan<float> source, ReadOnlySpan<float> decoded,
        ReadOnlySpan<float> absmax, int blocksize)
    {
        const float binsPerUnit = (float)(Histograms.ErrorBins / (2 * Histograms.ErrorRange));
        int block = -1;
        float scale = 0;
        for (int i = 0; i < source.Length; i++)
        {
            int at = phase + i;
            if (at / blocksize != block)
            {
                block = at / blocksize;
                scale = absmax[block] == 0 ? 0 : binsPerUnit / absmax[block];
            }

            result.CodeUse[(codes[at >> 1] >> ((at & 1) == 0 ? 4 : 0)) & 15]++;
            float bin = ((decoded[i] - source[i]) * scale) + (Histograms.ErrorBins / 2f);
            // A NaN goes to the last bin: the comparison keeps it out of the cast.
            result.ErrorCounts[bin < Histograms.ErrorBins ? Math.Max(0, (int)bin) : Histograms.ErrorBins - 1]++;
        }
    }

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;
}
