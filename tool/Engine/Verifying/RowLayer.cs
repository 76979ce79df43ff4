using System.Runtime.InteropServices;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Work;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Verifying;

/// <summary>Types whose scales belong to one row: a panel of whole rows owns everything it needs.</summary>
internal abstract class RowLayer(LayerPlan layer, LayerContext context) : LayerRun(layer, context)
{
    private WeightDecoder? _decoder;

    protected override void Begin() => _decoder = DataTypeCatalog.DecoderOf(Layer.Weight, Context.Source, Context.Engine);

    protected override void Measure(int panel, VerifyBuffers buffers, PanelResult result)
    {
        QuantizedWeight weight = Layer.Weight;
        int columns = (int)weight.Columns;
        long firstRow = panel * PanelRows, start = firstRow * columns;
        int rows = (int)Math.Min(PanelRows, weight.Rows - firstRow), count = rows * columns;
        ReadOnlySpan<byte> stored = Context.Source.ReadValues(Layer.Source, start, count, buffers.Source, Preloaded);
        Span<float> source = buffers.SourceValues.AsSpan(0, count), decoded = buffers.DecodedValues.AsSpan(0, count);
        Widen.ToSingle(Layer.Source.Quantization!.ElementType, stored, source);

        _decoder!.Load(start, count, buffers.Found);
        CompareStored(result, start, rows, stored, source, buffers);
        _decoder.Decode(start, count, ElementType.F32, MemoryMarshal.AsBytes(decoded), buffers.Found);
        result.Weight.Add(source, decoded);
        CountCodes(result, rows, source, decoded, buffers);
        if (Context.Activations is not null) Multiply(result, rows, columns, panel % rows, source, decoded, buffers);
    }

    /// <summary>Level 1: makes the stored form of the source and compares; fills <see cref="PanelResult.Codes"/>,
    /// <see cref="PanelResult.Compared"/> and <see cref="PanelResult.Absmax"/>.</summary>
    protected abstract void CompareStored(
        PanelResult result, long first, int rows, ReadOnlySpan<byte> stored, ReadOnlySpan<float> source, VerifyBuffers buffers);

    /// <summary>Level 3: runs the type's kernel into <see cref="VerifyBuffers.Packed"/> and measures it.</summary>
    protected abstract void Multiply(
        PanelResult result, int rows, int columns, int checkedRow, ReadOnlySpan<float> source, Span<float> decoded, VerifyBuffers buffers);

    /// <summary>Fills the histograms.</summary>
    protected abstract void CountCodes(
        PanelResult result, int rows, ReadOnlySpan<float> source, ReadOnlySpan<float> decoded, VerifyBuffers buffers);
}
