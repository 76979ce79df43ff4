using System.Runtime.InteropServices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.CompressedTensors;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.Quant.Search;

namespace Bnb.Engine.Verifying;

/// <summary>INT4 of compressed-tensors.</summary>
internal sealed class Int4Layer(LayerPlan layer, Int4Weight weight, LayerContext context) : RowLayer(layer, context)
{
    // A guess at the cause must not read half a layer.
    private const int LongestGuess = 1 << 16;

    private readonly int _groupSize = (int)weight.GroupSize;
    private readonly ElementType _type = layer.Source.Quantization!.ElementType;
    private readonly ElementType _scaleType = FloatTypes.Of(weight.Scale.DType) ?? layer.Source.Quantization!.ElementType;

    /// <summary>Whether scales are stored in another dtype than the source's weights.</summary>
    private bool HasOtherScales => _scaleType != _type && !Searches;

    public override long ScaleCount => weight.Rows * weight.GroupCount;

    public override double ExpectedError => TheoryGroups4.RelativeRmse(_groupSize, weight.IsSymmetric);

    public override bool LooksTransposed()
    {
        if (_groupSize > LongestGuess) return false;
        int groups = Math.Max(1, 4096 / _groupSize), count = (int)Math.Min(groups * (long)_groupSize, weight.ValueCount);
        groups = count / _groupSize;
        var buffers = new WorkerBuffers(count * 8, count * 8, count / 2, groups);
        ReadOnlySpan<byte> values = Context.Source.ReadValues(TransposedSource(), 0, count, buffers, null);
        Derive(values, groups, buffers);
        var found = new byte[count / 2];
        Context.Source.ReadBytes(weight.Packed, 0, found);
        return MostlyEqual(found, buffers.Codes);
    }

    protected override void CompareStored(
        PanelResult result, long first, int rows, ReadOnlySpan<byte> stored, ReadOnlySpan<float> source, VerifyBuffers buffers)
    {
        int groups = source.Length / _groupSize;
        Derive(stored, groups, buffers.Source, first);
        if (HasOtherScales) TakeRounded(stored, groups, buffers);
        if (Searches) Tally(result, first, groups, stored, source, buffers);
        ReadOnlySpan<byte> right = buffers.Source.Codes.AsSpan(0, source.Length / 2), found = buffers.Found.Codes.AsSpan(0, source.Length / 2);
        if (!right.SequenceEqual(found))
        {
            // Every path of the library does the same arithmetic, so there is nothing to excuse.
            result.Codes = IntegerCodes.Compare(Unpack(right), Unpack(found), _groupSize, [], [], isTie: null);
            if (result.Codes.First >= 0) result.Codes = result.Codes with { First = first + result.Codes.First };
        }

        result.Compared = source.Length;
        result.Absmax = new AbsmaxComparison.Counts(DifferingScales(groups, buffers), 0, 0);
    }

    protected override void Multiply(
        PanelResult result, int rows, int columns, int checkedRow, ReadOnlySpan<float> source, Span<float> decoded, VerifyBuffers buffers)
    {
        ActivationMatrix x = Context.Activations!.For(weight.Name, columns);
        int groups = rows * (int)weight.GroupCount;
        Func<int, double, double> bound = Context.Engine.MultiplyInt4Groups(
            x.Tokens, rows, columns, Context.ComputeType, x.Stored, _groupSize, _scaleType, buffers.Found.Codes.AsSpan(0, rows * columns / 2),
            Scales(groups, buffers.Found), ZeroPoints(groups, buffers.Found), buffers.Packed.AsSpan(0, x.Tokens * rows));
        PanelProducts.Measure(result, x, rows, columns, source, decoded, checkedRow, bound, buffers, Context);
    }

    protected override void CountCodes(
        PanelResult result, int rows, ReadOnlySpan<float> source, ReadOnlySpan<float> decoded, VerifyBuffers buffers)
    {
        int groups = source.Length / _groupSize;
        var scales = new float[groups];
        Widen.ToSingle(_scaleType, Scales(groups, buffers.Found), scales);
        var histogram = new ErrorHistogram(stackalloc int[ErrorHistogram.Size]);
        for (int group = 0; group < groups; group++)
        {
            Range values = (group * _groupSize)..((group + 1) * _groupSize);
            // Half of the codes' range, which is absmax where groups are symmetric.
            histogram.CountErrors(source[values], decoded[values], BinsPer(scales[group] * 7.5f));
        }

        histogram.CountBytes(buffers.Found.Codes.AsSpan(0, source.Length / 2));
        histogram.AddNibblesTo(result);
    }

    private void Derive(ReadOnlySpan<byte> stored, int groups, WorkerBuffers own, long first = 0)
    {
        Span<byte> packed = own.Codes.AsSpan(0, groups * _groupSize / 2);
        if (Searches)
        {
            var importance = new ColumnImportance(Layer.Source.Quantization!.Importance, first);
            SearchGroups4.Run(_type, _scaleType, _groupSize, stored, importance, Scales(groups, own), packed, Context.Path);
            return;
        }

        ReadOnlySpan<byte> values = stored;
        if (HasOtherScales)
        {
            // As a loader has the weights that is given the scales' dtype.
            var wide = new float[groups * _groupSize];
            var cast = new byte[wide.Length * _scaleType.Size()];
            Widen.ToSingle(_type, stored, wide);
            Narrow.FromSingle(_scaleType, wide, cast);
            values = cast;
        }

        QuantizeGroups4.Run(_scaleType, _groupSize, weight.IsSymmetric, values, Scales(groups, own), ZeroPoints(groups, own), packed, Context.Path);
    }

    /// <summary>
    /// Takes the other way to such scales, computed from the source as it is and then rounded, for the groups whose stored scale it
    /// gives and whose codes it explains better.
    /// </summary>
    private void TakeRounded(ReadOnlySpan<byte> stored, int groups, VerifyBuffers buffers)
    {
        int size = _scaleType.Size(), bytes = _groupSize / 2;
        ReadOnlySpan<byte> foundCodes = buffers.Found.Codes.AsSpan(0, groups * bytes);
        if (Scales(groups, buffers.Source).SequenceEqual(Scales(groups, buffers.Found)) && foundCodes.SequenceEqual(buffers.Source.Codes.AsSpan(0, groups * bytes))) return;
        var scales = new byte[groups * size];
        var zeroPoints = new sbyte[weight.IsSymmetric ? 0 : groups];
        var packed = new byte[groups * bytes];
        GivenScales4.Run(_type, _scaleType, _groupSize, weight.IsSymmetric, stored, scales, zeroPoints, packed);
        Span<byte> right = Scales(groups, buffers.Source);
        ReadOnlySpan<byte> found = Scales(groups, buffers.Found);
        for (int group = 0; group < groups; group++)
        {
            Range place = (group * size)..((group + 1) * size), codes = (group * bytes)..((group + 1) * bytes);
            if (!scales.AsSpan(place).SequenceEqual(found[place])) continue;
            bool isBetter = !right[place].SequenceEqual(found[place])
                || Differing(packed.AsSpan(codes), foundCodes[codes]) < Differing(buffers.Source.Codes.AsSpan(codes), foundCodes[codes]);
            if (!isBetter) continue;
            found[place].CopyTo(right[place]);
            packed.AsSpan(codes).CopyTo(buffers.Source.Codes.AsSpan(codes));
            if (!weight.IsSymmetric) ZeroPoints(groups, buffers.Source)[group] = zeroPoints[group];
        }
    }

    private static int Differing(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        int differing = 0;
        for (int i = 0; i < a.Length; i++)
        {
            if (a[i] != b[i]) differing++;
        }

        return differing;
    }

    private void Tally(PanelResult result, long first, int groups, ReadOnlySpan<byte> stored, ReadOnlySpan<float> source, VerifyBuffers buffers)
    {
        Quantization form = Layer.Source.Quantization!;
        var scales = new float[groups];
        Widen.ToSingle(_scaleType, Scales(groups, buffers.Found), scales);
        float absmax = source[.._groupSize].ToArray().Max(MathF.Abs);
        float[] table = [.. Enumerable.Range(-8, 16).Select(code => (float)code)];
        IEnumerable<float> others = ScaleProof.Candidates(absmax / 24, absmax / 4, SearchGroups4.SignificantBits, bothSigns: true).Select(Stored);
        result.Search.Proven++;
        if (ScaleProof.IsBeaten(table, source[.._groupSize], new ColumnImportance(form.Importance, first), 0, scales[0], others)) result.Search.Beaten++;
        var decoded = new float[source.Length];
        DequantizeGroups4.Run(_scaleType, _groupSize, buffers.Found.Codes.AsSpan(0, source.Length / 2), Scales(groups, buffers.Found), [], decoded, Context.Path);
        result.Search.Add(form, stored, first, source, decoded, Context.Path);
    }

    /// <summary>A scale as its place can hold it.</summary>
    private float Stored(float scale)
    {
        Span<byte> stored = stackalloc byte[sizeof(float)];
        Span<float> values = [scale];
        Narrow.FromSingle(_scaleType, values, stored[.._scaleType.Size()]);
        Widen.ToSingle(_scaleType, stored[.._scaleType.Size()], values);
        return values[0];
    }

    private long DifferingScales(int groups, VerifyBuffers buffers)
    {
        int size = _scaleType.Size();
        ReadOnlySpan<byte> right = Scales(groups, buffers.Source), found = Scales(groups, buffers.Found);
        ReadOnlySpan<sbyte> rightZero = ZeroPoints(groups, buffers.Source), foundZero = ZeroPoints(groups, buffers.Found);
        if (right.SequenceEqual(found) && rightZero.SequenceEqual(foundZero)) return 0;
        long differing = 0;
        for (int group = 0; group < groups; group++)
        {
            bool isSame = right.Slice(group * size, size).SequenceEqual(found.Slice(group * size, size))
                && (weight.IsSymmetric || rightZero[group] == foundZero[group]);
            if (!isSame) differing++;
        }

        return differing;
    }

    private Span<byte> Scales(int groups, WorkerBuffers buffers) => MemoryMarshal.AsBytes(buffers.Scales.AsSpan())[..(groups * _scaleType.Size())];

    private Span<sbyte> ZeroPoints(int groups, WorkerBuffers buffers) => weight.IsSymmetric ? [] : buffers.ZeroPoints.AsSpan(0, groups);

    private static sbyte[] Unpack(ReadOnlySpan<byte> packed)
    {
        var codes = new sbyte[packed.Length * 2];
        for (int i = 0; i < packed.Length; i++) (codes[2 * i], codes[(2 * i) + 1]) = ((sbyte)((packed[i] & 15) - 8), (sbyte)((packed[i] >> 4) - 8));
        return codes;
    }
}
