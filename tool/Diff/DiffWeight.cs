using Bnb.Formats;
using Bnb.Formats.BitsAndBytes;
using Bnb.Quant;
using Bnb.Tool.Pipeline;

namespace Bnb.Tool.Diff;

/// <summary>One weight of one checkpoint: a plain tensor, or a packed one with its companions.</summary>
/// <param name="Stored">The plain tensor, or the packed codes.</param>
/// <param name="Packed">Null for a plain tensor.</param>
internal sealed record DiffWeight(CheckpointTensor Stored, BnbWeight? Packed)
{
    public string Name => Stored.Name;

    /// <summary>Shape of the dense weight.</summary>
    public IReadOnlyList<long> Shape => Packed?.State.Shape ?? Stored.Shape.Dimensions;

    public long ValueCount => Packed?.ValueCount ?? Stored.Shape.ElementCount;

    /// <summary>True when it has values that can be subtracted; other tensors are only bytes.</summary>
    public bool HasValues => Packed is not null || DenseReader.CanRead(Stored.DType);

    /// <summary>The dtype that decoding gives: the one the weight was quantized from.</summary>
    public ElementType DecodedType => Packed?.State.DType switch
    {
        "float16" => ElementType.F16,
        "bfloat16" => ElementType.BF16,
        _ => ElementType.F32,
    };

    public IEnumerable<CheckpointTensor> Parts => Packed?.Parts ?? [Stored];

    public string ShapeText => $"[{string.Join(", ", Shape)}]";

    /// <summary><c>BF16</c>, or <c>nf4 b64 double bfloat16</c>.</summary>
    public string Format => Packed is null
        ? Stored.DType.Name()
        : $"{Packed.State.QuantType} b{Packed.State.Blocksize}{(Packed.IsNested ? " double" : "")} {DisplayText.Escape(Packed.State.DType)}";

    /// <summary>A checkpoint's weights by name, those that cannot be decoded refused.</summary>
    /// <exception cref="CheckpointFormatException">BNB-STATE: a weight is broken.</exception>
    public static SortedDictionary<string, DiffWeight> AllOf(BnbCheckpoint checkpoint)
    {
        checkpoint.ThrowIfBroken();
        var weights = new SortedDictionary<string, DiffWeight>(StringComparer.Ordinal);
        foreach (BnbWeight packed in checkpoint.Weights) weights[packed.Name] = new DiffWeight(packed.Packed, packed);
        foreach (CheckpointTensor plain in checkpoint.Plain) weights[plain.Name] = new DiffWeight(plain, null);
        return weights;
    }
}
