namespace Bnb.Quant.Gpu.Runtime;

/// <summary>A stretch of host memory that chunks cut into steps of equal length, the last one shorter.</summary>
internal readonly unsafe struct Lane(void* memory, long bytes, long step)
{
    public static readonly Lane None;

    /// <summary>Bytes of a full step.</summary>
    public long Step { get; } = step;

    /// <summary>Where a chunk's bytes are.</summary>
    public Span<byte> Of(long chunk)
    {
        long first = chunk * Step;
        return new Span<byte>((byte*)memory + first, (int)Math.Min(Step, bytes - first));
    }
}
