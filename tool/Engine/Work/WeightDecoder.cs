using Bnb.Engine.Plans;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Work;

/// <summary>
/// Turns a range of a quantized weight back into values, as the type's own library does. Reading and decoding are two steps:
/// who compares two weights needs the second one only where the first one differs.
/// </summary>
internal abstract class WeightDecoder
{
    /// <summary>Called before the first piece: holds in memory what would be read in many short pieces.</summary>
    /// <param name="lend">Whether so many bytes may be taken.</param>
    public virtual void Hold(Func<long, bool> lend)
    {
    }

    /// <summary>Gives back what <see cref="Hold"/> took.</summary>
    public virtual void Release(Action<long> giveBack)
    {
    }

    /// <summary>Reads values <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> as stored, to
    /// <see cref="WorkerBuffers.Codes"/>, <see cref="WorkerBuffers.Scales"/> and <see cref="WorkerBuffers.ZeroPoints"/>.</summary>
    /// <param name="first">A multiple of the weight's <see cref="BufferShape.ChunkMultiple"/>.</param>
    public abstract void Load(long first, int count, WorkerBuffers buffers);

    /// <summary>Decodes what <see cref="Load"/> read.</summary>
    /// <param name="destination">Values of <paramref name="type"/>; may be <see cref="WorkerBuffers.Raw"/>.</param>
    public abstract void Decode(long first, int count, ElementType type, Span<byte> destination, WorkerBuffers buffers);

    /// <summary>The scales that <see cref="Load"/> read, as float32.</summary>
    public virtual ReadOnlySpan<float> Scales(int count, WorkerBuffers buffers) => buffers.Scales.AsSpan(0, count);
}
