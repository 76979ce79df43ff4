namespace Bnb.Quant.Gpu.Kernels;

/// <summary>Four words of a buffer, which a thread moves in one 16-byte access.</summary>
internal struct Quad
{
    public int A;
    public int B;
    public int C;
    public int D;
}

/// <summary>Two words, moved in one 8-byte access.</summary>
internal struct Pair
{
    public int A;
    public int B;
}

/// <summary>Words of a quad by number.</summary>
internal static class Words
{
    /// <summary>Word 0 to 3; free where the number is a constant.</summary>
    public static int Of(Quad quad, int word)
    {
        if (word == 0) return quad.A;
        if (word == 1) return quad.B;
        return word == 2 ? quad.C : quad.D;
    }
}
