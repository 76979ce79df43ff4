using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Nested;

namespace Bnb.Engine.Verifying;

/// <summary>One worker's buffers: a panel of rows as stored, as numbers, as codes, and the products made with it.</summary>
internal sealed class VerifyBuffers
{
    public VerifyBuffers(VerifySizes sizes)
    {
        Source = new WorkerBuffers(sizes.Values * sizes.SourceWidth, sizes.Gathers ? sizes.Values * sizes.SourceWidth : 0, sizes.CodeBytes, sizes.Blocks)
        {
            Input = sizes.Input is { } shape ? WorkerBuffers.ForInput(shape, sizes.Values) : null,
        };
        Found = new WorkerBuffers(sizes.Blocks, 0, sizes.CodeBytes, sizes.Blocks);
        SourceValues = new float[sizes.Values];
        DecodedValues = new float[sizes.Values];
        int products = sizes.Tokens * sizes.Rows;
        (Original, Dense, Packed, Magnitudes, Rounded) = (new float[products], new float[products], new float[products], new float[products], new float[products]);
    }

    /// <summary>The source's bytes, and codes and scales made from them.</summary>
    public WorkerBuffers Source { get; }

    /// <summary>Codes and scales of the file; its raw bytes are nested codes.</summary>
    public WorkerBuffers Found { get; }

    public float[] SourceValues { get; }

    public float[] DecodedValues { get; }

    /// <summary>X times the original weights, FP32.</summary>
    public float[] Original { get; }

    /// <summary>What the kernel multiplies, multiplied in FP32.</summary>
    public float[] Dense { get; }

    /// <summary>X times the packed weights by the type's kernel, before rounding.</summary>
    public float[] Packed { get; }

    /// <summary>The same with the magnitudes of all factors, for the bound.</summary>
    public float[] Magnitudes { get; }

    /// <summary>The kernel's result in the compute dtype.</summary>
    public float[] Rounded { get; }
}

/// <summary>How large the buffers must be for every panel of a run.</summary>
/// <param name="Values">Weights of a panel and of the blocks that reach over its end.</param>
/// <param name="CodeBits">Bits of the widest code.</param>
/// <param name="Rows">Weight rows of a panel.</param>
/// <param name="Blocks">Scales of a panel.</param>
internal sealed record VerifySizes(int Values, int CodeBits, int Rows, int Blocks, int SourceWidth, bool Gathers, int Tokens, BufferShape? Input = null)
{
    // Panels of a few vector widths of rows keep the product kernels busy.
    private const int RowMultiple = 16;

    public int CodeBytes => (int)(((long)Values * CodeBits / 8) + 1);

    public long Bytes => (Input is { } shape ? WorkerBuffers.InputBytes(shape, Values) : 0) + (Values * (SourceWidth * (Gathers ? 2L : 1L))) + (2L * CodeBytes) + (Values * 8L) + (Blocks * 11L) + (5L * sizeof(float) * Tokens * Rows);

    /// <summary>Weight rows per panel for a layer.</summary>
    public static long RowsOf(long rows, long columns, int panelValues)
    {
        if (columns == 0) return Math.Max(1, rows);
        long fit = Math.Max(1, panelValues / columns);
        return Math.Min(Math.Max(1, rows), fit > RowMultiple ? fit / RowMultiple * RowMultiple : fit);
    }

    public static VerifySizes Of(IReadOnlyList<LayerPlan> layers, int tokens, int panelValues)
    {
        long values = 0, rows = 0, blocks = 0;
        int width = 0, codeBits = 4;
        foreach (LayerPlan layer in layers)
        {
            QuantizedWeight weight = layer.Weight;
            BufferShape shape = DataTypeCatalog.BuffersOf(weight);
            long panelRows = RowsOf(weight.Rows, weight.Columns, panelValues), panel = panelRows * weight.Columns, spare = 2;
            if (weight is BnbWeight blockwise)
            {
                panel = Math.Min(panel + (2 * UnitOf(blockwise)), weight.ValueCount + shape.ValuesPerScale);
                spare += 2 * NestedAbsmax.Blocksize;
            }

            values = Math.Max(values, panel);
            rows = Math.Max(rows, panelRows);
            blocks = Math.Max(blocks, (panel / shape.ValuesPerScale) + spare);
            codeBits = Math.Max(codeBits, shape.CodeBits);
            width = Math.Max(width, layer.Source.Quantization!.SourceType.BitSize() / 8);
            if (layer.Source.Input is MergedInput cast) width = Math.Max(width, cast.Base.DType.BitSize() / 8);
        }

        return new VerifySizes(
            (int)values, codeBits, (int)rows, (int)blocks, width, layers.Any(layer => layer.Source.Quantization!.Transpose), tokens,
            BufferNeeds.InputOf(layers.Select(layer => layer.Source)));
    }

    /// <summary>Values that one comparison must see whole: a block, or with double quantization 256 of them.</summary>
    public static long UnitOf(BnbWeight weight) => weight.State.Blocksize * (weight.IsNested ? (long)NestedAbsmax.Blocksize : 1);
}
