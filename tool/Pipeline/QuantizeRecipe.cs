using Bnb.Formats;
using Bnb.Quant;

namespace Bnb.Tool.Pipeline;

/// <summary>How weights are quantized; the same for every tensor of a run.</summary>
/// <param name="Code">nf4 or fp4.</param>
/// <param name="Blocksize">Values per absmax, 32 to 4096, a power of two.</param>
/// <param name="DoubleQuant">Quantize the absmax values to 8 bit in blocks of 256 (nested).</param>
/// <param name="QuantStorage">The dtype under which the packed bytes are declared; the bytes are the same.</param>
internal sealed record QuantizeRecipe(Code4 Code, int Blocksize, bool DoubleQuant, DType QuantStorage)
{
    /// <summary>
    /// Codes per element of <see cref="QuantStorage"/>. The packed tensor's shape is <c>[n / this, 1]</c>, so a tensor whose
    /// n is not a multiple would lose its tail (for uint8 the odd last nibble is padded instead).
    /// </summary>
    public int CodesPerStorageElement => QuantStorage.BitSize() / 4;
}
