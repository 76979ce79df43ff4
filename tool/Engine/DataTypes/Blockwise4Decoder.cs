using Bnb.Engine.Devices;
using Bnb.Engine.Work;
using Bnb.Formats.BitsAndBytes;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>nf4 and fp4: value = table[code] * absmax of its block, rounded to the output type.</summary>
internal sealed class Blockwise4Decoder(BnbWeight weight, TensorSource source, ComputeEngine engine) : WeightDecoder
{
    private readonly PackedReader _reader = new(weight, source);
    private readonly Code4 _code = Code4Catalog.ByName(weight.State.QuantType);
    private readonly int _blocksize = weight.State.Blocksize;

    public override void Load(long first, int count, WorkerBuffers buffers)
    {
        _reader.ReadCodes(first, Codes(count, buffers));
        // The value buffer is free until something is decoded into it, and larger than the nested codes.
        _reader.ReadAbsmax(first / _blocksize, Absmax(count, buffers), buffers.Raw);
    }

    public override void Decode(long first, int count, ElementType type, Span<byte> destination, WorkerBuffers buffers) =>
        engine.Dequantize4(_code, _blocksize, type, Codes(count, buffers), Absmax(count, buffers), destination);

    private static Span<byte> Codes(int count, WorkerBuffers buffers) => buffers.Codes.AsSpan(0, (count + 1) / 2);

    private Span<float> Absmax(int count, WorkerBuffers buffers) => buffers.Scales.AsSpan(0, (count + _blocksize - 1) / _blocksize);
}
