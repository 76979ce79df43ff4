namespace Bnb.Engine.Library;

/// <summary>How to quantize; what is left out is as on the command line.</summary>
public sealed record QuantizeChoices
{
    /// <summary>The data type.</summary>
    public QuantizedType Type { get; init; } = QuantizedType.Nf4;

    /// <summary>Values that share a scale, of the 4-bit types of bitsandbytes: 32 to 4096, a power of two.</summary>
    public int BlockSize { get; init; } = 64;

    /// <summary>Whether the scales of these types are quantized too.</summary>
    public bool DoubleQuant { get; init; } = true;

    /// <summary>Whether an existing output is replaced, as a whole, when the new one is complete.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Ceiling for buffers, in bytes.</summary>
    public long MaxMemoryBytes { get; init; } = 256L << 20;
}
