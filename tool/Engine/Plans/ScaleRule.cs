namespace Bnb.Engine.Plans;

/// <summary>How the scale of a block, group or row is found.</summary>
internal enum ScaleRule
{
    /// <summary>From the largest magnitude, as bitsandbytes and llm-compressor do, bit for bit.</summary>
    Absmax,

    /// <summary>The one with the least squared error: the same layout, better values.</summary>
    Search,
}
