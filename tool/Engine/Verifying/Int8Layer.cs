using System.Runtime.InteropServices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.BitsAndBytes;
using Bnb.Quant.Gemm;
using Bnb.Quant.Int8;
using Bnb.Quant.Search;

namespace Bnb.Engine.Verifying;

/// <summary>LLM.int8().</summary>
internal sealed class Int8Layer(LayerPlan layer, Int8Weight weight, LayerContext context) : RowLayer(layer, context)
{
    // The CUDA kernel divides by an estimate within 2 units in the last place of the quotient, and rounds once where the
    // definition rounds twice.
    private const float DivisionTie = 4 * 1.2e-7f;

    private const int YardstickEvery = 8;

    public override long ScaleCount => weight.Rows;

    public override double ExpectedError => TheoryRows8.RelativeRmse((int)Math.Max(1, weight.Columns));

    /// <summary>The rest of the error of products, beside the weights': that of the quantized activations.</summary>
    public override double ActivationError => weight.ValueCount == 0 ? 0 : Context.Activations?.For(weight.Name, weight.Columns).Int8(Context.Threshold).RelativeError ?? 0;

    public override bool LooksTransposed()
    {
        int columns = (int)weight.Columns, rows = (int)Math.Min(weight.Rows, Math.Max(1, 4096 / columns)), count = rows * columns;
        var buffers = new WorkerBuffers(count * 8, count * 8, count, rows);
        ReadOnlySpan<byte> values = Context.Source.ReadValues(TransposedSource(), 0, count, buffers, null);
        QuantizeRows8.Run(
            Layer.Source.Quantization!.ElementType, columns, values, buffers.Scales.AsSpan(0, rows), MemoryMarshal.Cast<byte, sbyte>(buffers.Codes.AsSpan()), Context.Path);
        var found = new byte[count];
        Context.Source.ReadBytes(weight.Codes, 0, found);
        return MostlyEqual(found, buffers.Codes);
    }

    protected override void CompareStored(
        PanelResult result, long first, int rows, ReadOnlySpan<byte> stored, ReadOnlySpan<float> source, VerifyBuffers buffers)
    {
        int columns = (int)weight.Columns;
        Span<float> absmax = buffers.Source.Scales.AsSpan(0, rows), foundAbsmax = buffers.Found.Scales.AsSpan(0, rows);
        Span<sbyte> codes = MemoryMarshal.Cast<byte, sbyte>(buffers.Source.Codes.AsSpan(0, source.Length));
        ReadOnlySpan<sbyte> found = MemoryMarshal.Cast<byte, sbyte>(buffers.Found.Codes.AsSpan(0, source.Length));
        if (Searches) Search(result, first, stored, source, absmax, codes, found, foundAbsmax);
        else QuantizeRows8.Run(Layer.Source.Quantization!.ElementType, columns, stored, absmax, codes, Context.Path);
        result.Codes = IntegerCodes.Compare(codes, found, columns, source, absmax, Searches ? null : IsTie);
        if (result.Codes.First >= 0) result.Codes = result.Codes with { First = first + result.Codes.First };
        result.Compared = source.Length;
        result.Absmax = AbsmaxComparison.ComparePlain(absmax, foundAbsmax);
    }

    private void Search(
        PanelResult result, long first, ReadOnlySpan<byte> stored, ReadOnlySpan<float> source, Span<float> scb, Span<sbyte> codes,
        ReadOnlySpan<sbyte> found, ReadOnlySpan<float> foundScb)
    {
        int columns = (int)weight.Columns;
        Quantization form = Layer.Source.Quantization!;
        var importance = new ColumnImportance(form.Importance, first);
        SearchRows8.Run(form.ElementType, columns, stored, importance, scb, codes, Context.Path);
        float[] row = [.. source[..columns].ToArray().Select(value => (float)(Half)value)];
        float[] table = [.. Enumerable.Range(-127, 255).Select(code => code / 127f)];
        result.Search.Proven++;
        if (ScaleProof.IsBeaten(table, row, importance, 0, foundScb[0], ScaleProof.Candidates(row.Max(MathF.Abs) / 8, row.Max(MathF.Abs), SearchRows8.SignificantBits, bothSigns: false))) result.Search.Beaten++;
        var decoded = new float[source.Length];
        DequantizeRows8.Run(columns, found, foundScb, decoded, Context.Path);
        result.Search.Add(form, stored, first, source, decoded, Context.Path);
    }

    protected override void Multiply(
        PanelResult result, int rows, int columns, int checkedRow, ReadOnlySpan<float> source, Span<float> decoded, VerifyBuffers buffers)
    {
        ActivationMatrix x = Context.Activations!.For(weight.Name, columns);
        QuantizedActivations quantized = x.Int8(Context.Threshold);
        ReadOnlySpan<sbyte> codes = MemoryMarshal.Cast<byte, sbyte>(buffers.Found.Codes.AsSpan(0, rows * columns));
        ReadOnlySpan<float> scb = buffers.Found.Scales.AsSpan(0, rows);
        Span<float> products = buffers.Packed.AsSpan(0, x.Tokens * rows);
        Context.Engine.MultiplyInt8(quantized.Codes, rows, codes, scb, products);
        // The yardstick quantizes all activations anew each time: a row of every few panels is what that is worth.
        if (checkedRow % YardstickEvery == 0) result.KernelBoundUse = YardstickUse(x, columns, checkedRow, codes, scb, products, rows);
        PanelProducts.MeasureInt8(result, x, quantized, rows, columns, source, decoded, buffers, Context);
    }

    /// <summary>One code of sixteen that follow each other counts for all, since 256 would fill a report.</summary>
    protected override void CountCodes(
        PanelResult result, int rows, ReadOnlySpan<float> source, ReadOnlySpan<float> decoded, VerifyBuffers buffers)
    {
        int columns = (int)weight.Columns;
        for (int row = 0, i = 0; row < rows; row++)
        {
            float bins = BinsPer(buffers.Found.Scales[row] / Histograms.Int8Unit);
            for (int end = i + columns; i < end; i++)
            {
                result.CodeUse[((sbyte)buffers.Found.Codes[i] + 128) >> 4]++;
                CountError(result, decoded[i] - source[i], bins);
            }
        }
    }

    private static bool IsTie(float value, float absmax)
    {
        float scaled = Math.Abs((float)(Half)value * (1f / absmax * 127f));
        float distance = Math.Abs(scaled - MathF.Floor(scaled) - 0.5f);
        return distance <= scaled * DivisionTie;
    }

    /// <summary>As for the 4-bit kernels: one row by the yardstick, in plain order.</summary>
    private double YardstickUse(
        ActivationMatrix x, int columns, int row, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> scb, ReadOnlySpan<float> products, int rows)
    {
        double[] exact = new double[x.Tokens], integers = new double[x.Tokens], outliers = new double[x.Tokens];
        int columnsApart = ReferenceInt8Gemm.Run(
            x.Tokens, 1, columns, x.Type, x.Stored, codes.Slice(row * columns, columns), scb.Slice(row, 1), Context.Threshold, exact, integers, outliers);
        return PanelProducts.LargestUse(
            products, rows, row, exact, token => Int8GemmBounds.For(columnsApart, integers[token], outliers[token]));
    }
}
