namespace Bnb.Quant.Gpu.Runtime;

/// <summary>What passes through a <see cref="ChunkPipeline"/>: the stretches that go in and those that come out. All but
/// <see cref="In"/> and <see cref="Out"/> may be <see cref="Lane.None"/>.</summary>
internal readonly struct Lanes
{
    /// <summary>Values or codes.</summary>
    public Lane In { get; init; }

    /// <summary>Their absmax or scales.</summary>
    public Lane InScales { get; init; }

    /// <summary>Their zero points.</summary>
    public Lane InZeros { get; init; }

    /// <summary>Codes or values.</summary>
    public Lane Out { get; init; }

    /// <summary>Their absmax or scales.</summary>
    public Lane OutScales { get; init; }

    /// <summary>Their zero points.</summary>
    public Lane OutZeros { get; init; }
}
