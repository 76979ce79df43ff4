using System.Globalization;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.BitsAndBytes;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Metrics;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Engine.Verifying;

/// <summary>
/// nf4 and fp4. A block belongs to the panel its first value lies in, so that each is compared once though rows and blocks do
/// not end together.
/// </summary>
internal sealed class Blockwise4Layer(LayerPlan layer, BnbWeight weight, LayerContext context) : LayerRun(layer, context)
{
    // A mean of float32 values summed in any order of float32: some units in the last place.
    private const float OffsetTolerance = 4e-6f;

    private readonly Code4 _code = Code4Catalog.ByName(weight.State.QuantType);
    private readonly int _blocksize = weight.State.Blocksize;
    private readonly AbsmaxMean _mean = new();
    private bool _hasStandardTables;
    private PackedReader? _reader;

    public override long ScaleCount => weight.BlockCount;

    public override double ExpectedError => Theory4.RelativeRmse(_code, _blocksize);

    /// <summary>The kernels decode by their own tables and ignore quant_map.</summary>
    public override bool HasStandardTables => _hasStandardTables;

    public override string? OffsetProblem
    {
        get
        {
            if (!weight.IsNested || weight.ValueCount == 0) return null;
            if (Searches) return weight.State.NestedOffset == 0 ? null : "nested_offset is not 0, as it is with searched scales";
            float own = _mean.Value, stored = weight.State.NestedOffset!.Value;
            if (Math.Abs(own - stored) <= OffsetTolerance * Math.Max(Math.Abs(own), Math.Abs(stored))) return null;
            return string.Create(CultureInfo.InvariantCulture, $"nested_offset is {stored:R}, the mean of absmax is {own:R}");
        }
    }

    public override bool LooksTransposed()
    {
        int count = (int)Math.Min(weight.ValueCount, Math.Max(4096, _blocksize)), blocks = (count + _blocksize - 1) / _blocksize;
        var buffers = new WorkerBuffers(count * 8, count * 8, (count + 1) / 2, blocks);
        ReadOnlySpan<byte> values = Context.Source.ReadValues(TransposedSource(), 0, count, buffers, null);
        Quantize4.Run(
            _code, Layer.Source.Quantization!.ElementType, _blocksize, values, buffers.Scales.AsSpan(0, blocks), buffers.Codes, Context.Path);
        var found = new byte[buffers.Codes.Length];
        _reader!.ReadCodes(0, found);
        return MostlyEqual(found, buffers.Codes);
    }

    protected override void Begin()
    {
        var reader = new PackedReader(weight, Context.Source);
        _hasStandardTables = reader.QuantMap.AsSpan().SequenceEqual(_code.Values.Span)
            && (!weight.IsNested || reader.NestedMap.SequenceEqual(DynamicCode8.Values));
        _reader = reader;
    }

    protected override void Measure(int panel, VerifyBuffers buffers, PanelResult result)
    {
        long columns = weight.Columns, unit = VerifySizes.UnitOf(weight);
        long firstRow = panel * PanelRows, rows = Math.Min(PanelRows, weight.Rows - firstRow);
        long start = firstRow * columns, end = start + (rows * columns);
        long ownStart = Math.Min(RoundUp(start, unit), weight.ValueCount), ownEnd = Math.Min(RoundUp(end, unit), weight.ValueCount);
        long readEnd = Math.Max(end, ownEnd);

        // The source, from the panel's first value to the end of the last block that begins in it.
        int count = (int)(readEnd - start), panelCount = (int)(end - start);
        ReadOnlySpan<byte> stored = Context.Source.ReadValues(Layer.Source, start, count, buffers.Source, Preloaded);
        Span<float> source = buffers.SourceValues.AsSpan(0, count);
        Widen.ToSingle(Layer.Source.Quantization!.ElementType, stored, source);

        // The packed form, from the start of the block the panel begins in; absmax from the start of its nested block.
        long codeStart = start / _blocksize * _blocksize;
        int phase = (int)(start - codeStart);
        Span<byte> codes = buffers.Found.Codes.AsSpan(0, (int)((readEnd - codeStart + 1) / 2));
        _reader!.ReadCodes(codeStart, codes);
        long absmaxStart = codeStart / unit * (unit / _blocksize);
        Span<float> absmax = buffers.Found.Scales.AsSpan(0, (int)(((readEnd + _blocksize - 1) / _blocksize) - absmaxStart));
        _reader.ReadAbsmax(absmaxStart, absmax, buffers.Found.Raw);
        Span<float> panelAbsmax = absmax[(int)((codeStart / _blocksize) - absmaxStart)..];

        if (ownEnd > ownStart)
        {
            CompareStored(
                result, ownStart, ownEnd, stored[(int)((ownStart - start) * stored.Length / count)..(int)((ownEnd - start) * stored.Length / count)],
                source[(int)(ownStart - start)..(int)(ownEnd - start)],
                codes[(int)((ownStart - codeStart) / 2)..(int)((ownEnd - codeStart + 1) / 2)], absmax, absmaxStart, buffers);
        }

        Span<float> decoded = buffers.DecodedValues.AsSpan(0, phase + panelCount);
        int blocks = (phase + panelCount + _blocksize - 1) / _blocksize;
        Dequantize4.Run(_code, _blocksize, codes[..((phase + panelCount + 1) / 2)], panelAbsmax[..blocks], decoded, Context.Path);
        decoded = decoded[phase..];
        source = source[..panelCount];
        result.Weight.Add(source, decoded);
        CountCodes(result, codes, phase, source, decoded, panelAbsmax, _blocksize);
        if (Context.Activations is null) return;
        ActivationMatrix x = Context.Activations.For(weight.Name, columns);
        Span<float> mixed = buffers.Packed.AsSpan(0, x.Tokens * (int)rows);
        Func<int, double, double> bound = Context.Engine.Multiply4(
            x.Tokens, (int)rows, (int)columns, Context.ComputeType, x.Stored, _code, _blocksize, phase, codes, panelAbsmax, mixed);
        PanelProducts.Measure(result, x, (int)rows, (int)columns, source, decoded, (int)(panelAbsmax.Length % rows), bound, buffers, Context);
    }

    private void CompareStored(
        PanelResult result, long ownStart, long ownEnd, ReadOnlySpan<byte> stored, ReadOnlySpan<float> source,
        ReadOnlySpan<byte> foundCodes, ReadOnlySpan<float> foundAbsmax, long absmaxStart, VerifyBuffers buffers)
    {
        int blocks = (int)((ownEnd - ownStart + _blocksize - 1) / _blocksize);
        Span<float> absmax = buffers.Source.Scales.AsSpan(0, blocks);
        Span<byte> packed = buffers.Source.Codes.AsSpan(0, foundCodes.Length);
        if (Searches)
        {
            CompareSearched(result, ownStart, stored, source, foundCodes, foundAbsmax.Slice((int)((ownStart / _blocksize) - absmaxStart), blocks), absmax, packed, buffers);
            return;
        }

        Quantize4.Run(_code, Layer.Source.Quantization!.ElementType, _blocksize, stored, absmax, packed, Context.Path);

        CodeComparison.Counts counts = CodeComparison.Compare(_code, _blocksize, packed, foundCodes, source, absmax);
        result.Codes = counts with { First = counts.First < 0 ? -1 : ownStart + counts.First };
        result.Compared = ownEnd - ownStart;

        long firstBlock = ownStart / _blocksize;
        if (!weight.IsNested)
        {
            result.Absmax = AbsmaxComparison.ComparePlain(absmax, foundAbsmax.Slice((int)(firstBlock - absmaxStart), blocks));
            return;
        }

        _mean.Add(absmax);
        Span<byte> nestedCodes = buffers.Found.Raw.AsSpan(0, blocks);
        _reader!.ReadNested(firstBlock, nestedCodes, out float[] nested);
        result.Absmax = AbsmaxComparison.CompareNested(
            absmax, weight.State.NestedOffset!.Value, nestedCodes, nested, _reader.NestedMap, Context.Path);
    }

    /// <summary>The same for searched scales; and the first block's scale is compared with all others.</summary>
    private void CompareSearched(
        PanelResult result, long ownStart, ReadOnlySpan<byte> stored, ReadOnlySpan<float> source, ReadOnlySpan<byte> foundCodes,
        ReadOnlySpan<float> foundScales, Span<float> scales, Span<byte> packed, VerifyBuffers buffers)
    {
        Quantization form = Layer.Source.Quantization!;
        var importance = new ColumnImportance(form.Importance, ownStart);
        IEnumerable<float> others;
        if (weight.IsNested)
        {
            byte[] codes = new byte[scales.Length], foundNested = new byte[scales.Length];
            var nested = new float[(scales.Length + NestedAbsmax.Blocksize - 1) / NestedAbsmax.Blocksize];
            SearchBlocks4.RunNested(_code, form.ElementType, _blocksize, stored, importance, codes, nested, packed, Context.Path);
            NestedAbsmax.Dequantize(codes, nested, 0f, scales);
            _reader!.ReadNested(ownStart / _blocksize, foundNested, out float[] foundAbsmax);
            long differing = foundAbsmax.Zip(nested).Count(pair => pair.First != pair.Second), apart = differing;
            for (int i = 0; i < codes.Length; i++) differing += codes[i] == foundNested[i] ? 0 : 1;
            result.Absmax = new AbsmaxComparison.Counts(differing, 0, apart);
            var all = new float[256];
            NestedAbsmax.Dequantize([.. Enumerable.Range(0, 256).Select(code => (byte)code)], [foundAbsmax[0]], 0f, all);
            others = all;
        }
        else
        {
            SearchBlocks4.Run(_code, form.ElementType, _blocksize, stored, importance, scales, packed, Context.Path);
            result.Absmax = AbsmaxComparison.ComparePlain(scales, foundScales);
            float absmax = source[..Math.Min(_blocksize, source.Length)].ToArray().Max(MathF.Abs);
            others = ScaleProof.Candidates(absmax / 4, absmax * 2, SearchBlocks4.SignificantBits, bothSigns: true);
        }

        CodeComparison.Counts counts = CodeComparison.Compare(_code, _blocksize, packed, foundCodes, source, scales);
        result.Codes = counts with { First = counts.First < 0 ? -1 : ownStart + counts.First };
        result.Compared = source.Length;
        result.Search.Proven++;
        if (ScaleProof.IsBeaten(_code.Values.Span, source[..Math.Min(_blocksize, source.Length)], importance, 0, foundScales[0], others)) result.Search.Beaten++;
        Span<float> decoded = new float[source.Length];
        Dequantize4.Run(_code, _blocksize, foundCodes[..((source.Length + 1) / 2)], foundScales, decoded, Context.Path);
        result.Search.Add(form, stored, ownStart, source, decoded, Context.Path);
    }

    private static void CountCodes(
        PanelResult result, ReadOnlySpan<byte> codes, int phase, ReadOnlySpan<float> source, ReadOnlySpan<float> decoded,
        ReadOnlySpan<float> absmax, int blocksize)
    {
        int block = -1;
        float scale = 0;
        for (int i = 0; i < source.Length; i++)
        {
            int at = phase + i;
            if (at / blocksize != block)
            {
                block = at / blocksize;
                scale = BinsPer(absmax[block]);
            }

            result.CodeUse[(codes[at >> 1] >> ((at & 1) == 0 ? 4 : 0)) & 15]++;
            CountError(result, decoded[i] - source[i], scale);
        }
    }

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;
}
