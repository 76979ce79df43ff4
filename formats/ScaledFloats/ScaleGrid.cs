using Bnb.Formats.Primitives;

namespace Bnb.Formats.ScaledFloats;

/// <summary>How many rows and columns share a scale, from the shapes of codes and scales.</summary>
/// <param name="Stack">Matrices of a tensor of 3 dimensions, else null.</param>
/// <param name="Rows">Rows of each.</param>
/// <param name="Columns">Values of a row.</param>
internal sealed record ScaleGrid(long? Stack, long Rows, long Columns)
{
    // What is published, the most frequent first; a grid of one scale is one for the whole matrix.
    private static readonly (long Rows, long Columns)[] Usual = [(128, 128), (1, 32), (1, 128), (1, 64), (1, 16)];

    /// <summary>The grid of a code tensor of 2 or 3 dimensions; null for any other.</summary>
    /// <param name="perElement">Codes in an element of it.</param>
    public static ScaleGrid? Of(TensorShape codes, int perElement) => codes.Rank switch
    {
        2 => new ScaleGrid(null, codes[0], codes[1] * perElement),
        3 => new ScaleGrid(codes[0], codes[1], codes[2] * perElement),
        _ => null,
    };

    /// <summary>Rows and columns of a block; null when the scales fit no block.</summary>
    /// <param name="scales">The shape of the scales.</param>
    /// <param name="configured">What the config says, or null.</param>
    public (long Rows, long Columns)? Block(TensorShape scales, (long Rows, long Columns)? configured)
    {
        if (GridOf(scales) is not { } grid) return null;
        if (grid == (1, 1) && (configured is null || !Fits(grid, configured.Value))) return Whole;
        if (configured is { } given && Fits(grid, given)) return given;
        // One scale a row: per channel.
        if (grid == (Rows, 1)) return (1, Math.Max(1, Columns));
        if (configured is not null) return null;
        foreach ((long Rows, long Columns) block in Usual)
        {
            if (Fits(grid, block)) return block;
        }

        return null;
    }

    private long Matrices => Stack ?? 1;

    private (long Rows, long Columns) Whole => (Math.Max(1, Rows), Math.Max(1, Columns));

    /// <summary>Rows and columns of one matrix's scales.</summary>
    private (long Rows, long Columns)? GridOf(TensorShape scales)
    {
        if (scales.ElementCount == 1 && Matrices == 1) return (1, 1);
        return scales.Rank switch
        {
            1 when Matrices == 1 && scales[0] == Rows => (Rows, 1),
            1 when scales[0] == Matrices => (1, 1),
            2 when Matrices == 1 => (scales[0], scales[1]),
            3 when scales[0] == Matrices => (scales[1], scales[2]),
            _ => null,
        };
    }

    private bool Fits((long Rows, long Columns) grid, (long Rows, long Columns) block) =>
        grid == (ScaledFloatWeight.DivideUp(Rows, block.Rows), ScaledFloatWeight.DivideUp(Columns, block.Columns));
}
