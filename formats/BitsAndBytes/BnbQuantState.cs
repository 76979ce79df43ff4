using System.Globalization;
using System.Text;
using Bnb.Formats.Json;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.BitsAndBytes;

/// <summary>
/// The small JSON that bitsandbytes stores as a U8 tensor beside each 4-bit weight. Compared by value. Source: bitsandbytes
/// 0.50, <c>QuantState.as_dict(packed=True)</c> and <c>pack_dict_to_tensor</c>.
/// </summary>
/// <param name="QuantType"><c>nf4</c> or <c>fp4</c>.</param>
/// <param name="Blocksize">Values that share one maximum.</param>
/// <param name="DType">Dtype that dequantizing yields, as torch spells it without prefix: <c>bfloat16</c>.</param>
/// <param name="Shape">The weight's shape before packing, [out, in].</param>
/// <param name="NestedOffset">Mean of the block maxima with double quantization, else null.</param>
public sealed record BnbQuantState(string QuantType, int Blocksize, string DType, IReadOnlyList<long> Shape, float? NestedOffset)
{
    /// <summary>Block maxima that share one second-level maximum; no other value loads.</summary>
    public const int NestedBlocksize = 256;

    /// <summary>
    /// Dtype in which the block maxima are decoded with double quantization, as torch spells it: <c>float32</c>, or
    /// <c>bfloat16</c> in what bitsandbytes saves after a forward on a CPU. Without double quantization it says nothing.
    /// </summary>
    public string NestedDType { get; init; } = "float32";

    /// <summary>The block maxima are decoded in bfloat16.</summary>
    public bool IsNestedBFloat16 => NestedDType == "bfloat16";

    /// <summary>
    /// An upper bound of the length of <see cref="ToUtf8"/> over every possible <see cref="NestedOffset"/>, for planning a
    /// file before the offset is known; the exact length without double quantization.
    /// </summary>
    public int MaxUtf8Length => NestedOffset is null ? ToUtf8().Length : Text("").Length + PythonJson.MaxFloatLength;

    /// <summary>
    /// The blob's bytes, equal to Python's <c>json.dumps</c> of the same values: fixed key order, <c>", "</c> and
    /// <c>": "</c>, and the offset as the shortest text of the float32 widened to a double.
    /// </summary>
    public byte[] ToUtf8() => Encoding.ASCII.GetBytes(Text(NestedOffset is { } offset ? PythonJson.Float(offset) : ""));

    /// <summary>Reads a blob; as strict as bitsandbytes, which refuses every member it does not know, and refuses an offset
    /// that is
    /// not finite.</summary>
    /// <param name="utf8">The whole tensor.</param>
    /// <param name="file">Path for messages.</param>
    /// <param name="tensor">The blob's tensor name, for messages.</param>
    /// <exception cref="CheckpointFormatException">BNB-STATE: not such a blob.</exception>
    public static BnbQuantState Parse(ReadOnlySpan<byte> utf8, string file, string tensor) =>
        QuantStateJson.Parse(utf8, file, tensor);

    /// <inheritdoc/>
    public bool Equals(BnbQuantState? other) => other is not null
        && QuantType == other.QuantType
        && Blocksize == other.Blocksize
        && DType == other.DType
        && Shape.SequenceEqual(other.Shape)
        && NestedDType == other.NestedDType
        && Nullable.Equals(NestedOffset, other.NestedOffset);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(QuantType, Blocksize, DType, Shape.Count, NestedOffset);

    private string Text(string offset)
    {
        string shape = string.Join(", ", Shape.Select(d => d.ToString(CultureInfo.InvariantCulture)));
        string blocksize = Blocksize.ToString(CultureInfo.InvariantCulture);
        string head = $"{{\"quant_type\": {PythonJson.Text(QuantType)}, \"blocksize\": {blocksize}, "
            + $"\"dtype\": {PythonJson.Text(DType)}, \"shape\": [{shape}]";
        return NestedOffset is null
            ? head + "}"
            : $"{head}, \"nested_blocksize\": 256, \"nested_dtype\": {PythonJson.Text(NestedDType)}, \"nested_offset\": {offset}}}";
    }
}
