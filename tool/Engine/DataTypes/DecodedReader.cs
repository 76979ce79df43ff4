using Bnb.Engine.Work;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>The values of a quantized weight as kernels take them. A decoder wants its pieces to begin at certain places;
/// what lies before the piece asked for is decoded with it and left out.</summary>
internal sealed class DecodedReader(WeightDecoder decoder, ElementType type, int multiple) : ValueReader
{
    public override void Begin(Func<long, bool> lend) => decoder.Hold(lend);

    public override void End(Action<long> giveBack) => decoder.Release(giveBack);

    public override ReadOnlySpan<byte> Read(long first, int count, WorkerBuffers buffers)
    {
        WorkerBuffers own = buffers.Input ?? throw new InvalidOperationException("no buffers were planned for decoding");
        int size = type.Size(), lead = (int)(first % multiple), length = lead + count;
        Span<byte> values = own.Raw.AsSpan(0, length * size);
        decoder.Load(first - lead, length, own);
        decoder.Decode(first - lead, length, type, values, own);
        return values[(lead * size)..];
    }
}
