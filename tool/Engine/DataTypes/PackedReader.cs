using System.Runtime.InteropServices;
using Bnb.Engine.Work;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Tensors;
using Bnb.Quant.Nested;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// Reads codes and absmax of a 4-bit weight in pieces: where formats meets quant on the way back. Double-quantized absmax is
/// decoded as bitsandbytes decodes it at load: nested_quant_map[code] * nested_absmax, rounded, plus nested_offset, rounded;
/// both to the quant_state's nested_dtype.
/// </summary>
internal sealed class PackedReader
{
    private readonly BnbWeight _weight;
    private readonly TensorSource _source;
    private readonly float[] _nestedMap = [];

    public PackedReader(BnbWeight weight, TensorSource source)
    {
        (_weight, _source) = (weight, source);
        if (weight.NestedQuantMap is { } map) _nestedMap = ReadFloats(map);
    }

    /// <summary>The weight's own code table as stored.</summary>
    public float[] QuantMap => ReadFloats(_weight.QuantMap);

    /// <summary>The second-level code table as stored; empty without double quantization.</summary>
    public ReadOnlySpan<float> NestedMap => _nestedMap;

    /// <summary>Reads packed codes from value <paramref name="first"/> on, which is even.</summary>
    public void ReadCodes(long first, Span<byte> packed) => _source.ReadBytes(_weight.Packed, first / 2, packed);

    /// <summary>Reads absmax as float32 from block <paramref name="first"/> on, a multiple of 256 with double quantization.</summary>
    /// <param name="scratch">As many bytes as blocks, or more; used with double quantization only.</param>
    public void ReadAbsmax(long first, Span<float> absmax, Span<byte> scratch)
    {
        if (!_weight.IsNested)
        {
            _source.ReadBytes(_weight.Absmax, first * sizeof(float), MemoryMarshal.AsBytes(absmax));
            return;
        }

        Span<byte> codes = scratch[..absmax.Length];
        ReadNested(first, codes, out float[] nested);
        float offset = _weight.State.NestedOffset!.Value;
        if (_weight.State.IsNestedBFloat16) NestedAbsmax.DequantizeBFloat16(codes, _nestedMap, nested, offset, absmax);
        else NestedAbsmax.Dequantize(codes, _nestedMap, nested, offset, absmax);
    }

    /// <summary>Reads the nested form: 8-bit codes from block <paramref name="first"/> on and their own absmax.</summary>
    public void ReadNested(long first, Span<byte> codes, out float[] nestedAbsmax)
    {
        _source.ReadBytes(_weight.Absmax, first, codes);
        nestedAbsmax = new float[(codes.Length + NestedAbsmax.Blocksize - 1) / NestedAbsmax.Blocksize];
        _source.ReadBytes(
            _weight.NestedAbsmax!, first / NestedAbsmax.Blocksize * sizeof(float), MemoryMarshal.AsBytes(nestedAbsmax.AsSpan()));
    }

    private float[] ReadFloats(CheckpointTensor tensor)
    {
        var values = new float[tensor.Shape.ElementCount];
        _source.ReadBytes(tensor, 0, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}
