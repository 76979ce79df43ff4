using Bnb.Formats;
using Bnb.Tool.Pipeline;

namespace Bnb.Tool.Verification;

/// <summary>One worker's buffers: a panel of rows as stored, as numbers, as codes, and the products made with it.</summary>
internal sealed class VerifyBuffers
{
    public VerifyBuffers(VerifySizes sizes)
    {
        Source = new WorkerBuffers(sizes.Values * sizes.SourceWidth, sizes.Gathers ? sizes.Values * sizes.SourceWidth : 0, (sizes.Values + 1) / 2, sizes.Blocks);
        SourceValues = new float[sizes.Values];
        DecodedValues = new float[sizes.Values];
        FoundCodes = new byte[(sizes.Values + 1) / 2];
        FoundAbsmax = new float[sizes.Blocks];
        NestedCodes = new byte[sizes.Blocks];
        int products = sizes.Tokens * sizes.Rows;
        (Original, Dense, Packed, Magnitudes, Rounded) = (new float[products], new float[products], new float[products], new float[products], new float[products]);
    }

    /// <summary>The source's bytes, and codes and absmax made from them.</summary>
    public WorkerBuffers Source { get; }

    public float[] SourceValues { get; }

    public float[] DecodedValues { get; }

    public byte[] FoundCodes { get; }

    public float[] FoundAbsmax { get; }

    public byte[] NestedCodes { get; }

    /// <summary>X times the original weights, FP32.</summary>
    public float[] Original { get; }

    /// <summary>X times the decoded weights, FP32.</summary>
    public float[] Dense { get; }

    /// <summary>X times the packed weights by the mixed kernel, before rounding.</summary>
    public float[] Packed { get; }

    /// <summary>|X| times |decoded weights|, for the bound.</summary>
    public float[] Magnitudes { get; }

    /// <summary>The mixed kernel's result in the compute dtype.</summary>
    public float[] Rounded { get; }
}

/// <summary>How large the buffers must be for every panel of a run.</summary>
/// <param name="Values">Weights of a panel and of the blocks that reach over its end.</param>
/// <param name="Rows">Weight rows of a panel.</param>
internal sealed record VerifySizes(int Values, int Rows, int Blocks, int SourceWidth, bool Gathers, int Tokens)
{
    private const int PanelValues = 1 << 18;

    // Panels of a few vector widths of rows keep the product kernels busy.
    private const int RowMultiple = 16;

    public long Bytes => (Values * (SourceWidth * (Gathers ? 2L : 1L))) + (Values * 9L) + (Blocks * 9L) + (5L * sizeof(float) * Tokens * Rows);

    /// <summary>Weight rows per panel for a layer.</summary>
    public static long RowsOf(long rows, long columns)
    {
        if (columns == 0) return Math.Max(1, rows);
        long fit = Math.Max(1, PanelValues / columns);
        return Math.Min(Math.Max(1, rows), fit > RowMultiple ? fit / RowMultiple * RowMultiple : fit);
    }

    public static VerifySizes Of(IReadOnlyList<LayerPlan> layers, int tokens)
    {
        long values = 0, rows = 0, blocks = 0;
        int width = 0;
        foreach (LayerPlan layer in layers)
        {
            var weight = layer.Weight;
            long panelRows = RowsOf(weight.Rows, weight.Columns);
            long unit = UnitOf(layer);
            long panel = Math.Min((panelRows * weight.Columns) + (2 * unit), weight.ValueCount + weight.State.Blocksize);
            values = Math.Max(values, panel);
            rows = Math.Max(rows, panelRows);
            blocks = Math.Max(blocks, (panel / weight.State.Blocksize) + (2 * Quantization.NestedBlocksize) + 2);
            width = Math.Max(width, layer.Source.Quantization!.SourceType.BitSize() / 8);
        }

        return new VerifySizes(
            (int)Math.Min(values, Array.MaxLength / 8), (int)rows, (int)blocks, width, layers.Any(layer => layer.Source.Quantization!.Transpose), tokens);
    }

    /// <summary>Values that one comparison must see whole: a block, or with double quantization 256 of them.</summary>
    public static long UnitOf(LayerPlan layer) =>
        layer.Weight.State.Blocksize * (layer.Weight.IsNested ? (long)Quantization.NestedBlocksize : 1);
}
