namespace Bnb.Engine.Library;

/// <summary>What a quantization made.</summary>
/// <param name="Quantized">Tensors that were quantized.</param>
/// <param name="Copied">Tensors that stayed as they were.</param>
/// <param name="BytesBefore">Of the source's weight files.</param>
/// <param name="BytesAfter">Of the output's.</param>
/// <param name="BitsPerParameter">Over all tensors of the output.</param>
public sealed record QuantizeOutcome(int Quantized, int Copied, long BytesBefore, long BytesAfter, double BitsPerParameter);
