namespace Bnb.Quant.Gpu.Kernels;

/// <summary>Sizes and limits of a search, the same for all blocks of a launch.</summary>
internal struct SearchShape
{
    /// <summary>Values per block; the last block may be short.</summary>
    public int Blocksize;

    /// <summary>Places per block: that, rounded up to a multiple of 16.</summary>
    public int Stride;

    /// <summary>Values in all blocks.</summary>
    public int Count;

    /// <summary>Blocks.</summary>
    public int Blocks;

    /// <summary>1 where values have weights.</summary>
    public int Weighted;

    /// <summary>0, unknown to the compiler: what passes through an exclusive-or with it is rounded before.</summary>
    public int Zero;

    /// <summary>The smallest scale, in multiples of the block's largest magnitude.</summary>
    public float Smallest;

    /// <summary>The largest one.</summary>
    public float Largest;

    /// <summary>What a float32 error may be above the least one known and still be the best, as a factor.</summary>
    public float Slack;

    /// <summary>The same as an addend, in units of absmax^2.</summary>
    public float Floor;
}
