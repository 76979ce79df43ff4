namespace Bnb.Engine.Evaluating.Operators;

/// <summary>One row of float32 values for each token, row-major, in the first <c>Rows * Width</c> values of an array that may
/// be longer.</summary>
/// <param name="Values">The memory, owned by whoever made the matrix.</param>
/// <param name="Offset">Where the first row begins.</param>
/// <param name="Rows">Tokens.</param>
/// <param name="Width">Values per token.</param>
internal readonly record struct TokenMatrix(float[] Values, int Offset, int Rows, int Width)
{
    /// <summary>All rows.</summary>
    public Span<float> All => Values.AsSpan(Offset, Rows * Width);

    /// <summary>One row.</summary>
    public Span<float> Row(int index) => Values.AsSpan(Offset + (index * Width), Width);

    /// <summary>A run of rows in the same memory.</summary>
    public TokenMatrix Slice(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, Rows);
        return new TokenMatrix(Values, Offset + (first * Width), count, Width);
    }
}
