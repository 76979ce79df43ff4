namespace Bnb.Quant.Gemm;

/// <summary>
/// The innermost loop of the int8 product for one instruction set. It works on 32-bit words that hold the codes of a few
/// neighbouring columns; lanes run along rows of x, as in <see cref="IGemmTile"/>. All sums are exact as long as they fit an
/// int32: intermediate results may wrap around, which the final subtraction undoes.
/// </summary>
internal unsafe interface IInt8Tile
{
    /// <summary>Rows of x side by side in the lanes of one tile.</summary>
    static abstract int Lanes { get; }

    /// <summary>Rows of w in one tile; divides <see cref="Int8GemmDriver.ChunkRows"/>.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns in one word: 4 codes of 8 bits or 2 of 16.</summary>
    static abstract int Columns { get; }

    /// <summary>What is added to each weight before the multiplication; the sums are too large by it times the sum of x.</summary>
    static abstract int Offset { get; }

    /// <summary>sums[r * stride + l] (+)= sum over words s &lt; steps of w[r * TileStride + s] times x[s * Lanes + l], where
    /// two words multiply as the sum of their columns' products.</summary>
    static abstract void Run(int steps, int* w, int* x, int* sums, nint stride, bool add);

    /// <summary>Writes count codes of w, <see cref="Offset"/> added, as words. Writes whole words; the columns beyond the last
    /// are of no account, because x is zero there.</summary>
    static abstract void Fill(sbyte* source, int count, int* words);

    /// <summary>The sum of (w[p] + Offset) * x[p], for a single row of x. Wraps around.</summary>
    static abstract int Dot(int count, sbyte* w, sbyte* x);
}

/// <summary>The parts that tiles with two 16-bit codes per word share.</summary>
internal static unsafe class Int8Pairs
{
    /// <summary>Sign-extends codes, and writes a zero after an odd last one.</summary>
    public static void Fill(sbyte* source, int count, int* words)
    {
        short* codes = (short*)words;
        for (int p = 0; p < count; p++) codes[p] = source[p];
        if ((count & 1) != 0) codes[count] = 0;
    }

    public static int Dot(int count, sbyte* w, sbyte* x)
    {
        int sum = 0;
        for (int p = 0; p < count; p++) sum += w[p] * x[p];
        return sum;
    }
}
