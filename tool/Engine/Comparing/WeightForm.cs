using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Comparing;

/// <summary>What makes up the form of a quantized weight, piece by piece, so that two can be held against each other.</summary>
internal static class WeightForm
{
    /// <summary>Facts that headers and descriptions give.</summary>
    public static IEnumerable<(string What, string Value)> Facts(QuantizedWeight weight) => weight switch
    {
        BnbWeight blockwise =>
        [
            ("quant_type", weight.Type),
            ("blocksize", $"{blockwise.State.Blocksize}"),
            ("double_quant", Word(blockwise.IsNested)),
            .. blockwise.IsNested ? [("nested_dtype", blockwise.State.NestedDType)] : Array.Empty<(string, string)>(),
            ("dtype", blockwise.State.DType),
            ("quant_storage", weight.Stored.DType.Name()),
        ],
        Int4Weight groups =>
        [
            ("quant_type", weight.Type),
            ("group_size", $"{groups.GroupSize}"),
            ("symmetric", Word(groups.IsSymmetric)),
            ("dtype", groups.Scale.DType.Name()),
        ],
        _ => [("quant_type", weight.Type)],
    };

    /// <summary>Facts that both have and that are not the same.</summary>
    public static IEnumerable<FormChange> Changes(QuantizedWeight a, QuantizedWeight b) =>
        from inA in Facts(a)
        join inB in Facts(b) on inA.What equals inB.What
        where inA.Value != inB.Value
        select new FormChange(inA.What, inA.Value, inB.Value);

    /// <summary>Whether codes and scales of the two belong to each other one by one.</summary>
    public static bool CodesCompare(QuantizedWeight a, QuantizedWeight b) => (a, b) switch
    {
        (BnbWeight x, BnbWeight y) => x.Type == y.Type && x.State.Blocksize == y.State.Blocksize
            && (!x.IsNested || !y.IsNested || x.State.NestedDType == y.State.NestedDType),
        (Int8Weight, Int8Weight) => true,
        (Int4Weight x, Int4Weight y) => x.GroupSize == y.GroupSize && x.IsSymmetric == y.IsSymmetric,
        _ => false,
    };

    /// <summary>Whether both have the same set of companions in the same dtypes, which can be compared byte for byte.</summary>
    public static bool PartsCompare(QuantizedWeight a, QuantizedWeight b) => CodesCompare(a, b) && (a, b) switch
    {
        (BnbWeight x, BnbWeight y) => x.IsNested == y.IsNested,
        (Int4Weight x, Int4Weight y) => x.Scale.DType == y.Scale.DType,
        _ => true,
    };

    /// <summary>
    /// The companions whose bytes say something. Not the quant_state, whose white space means nothing, nor what the shape
    /// already says.
    /// </summary>
    public static IEnumerable<(string Part, CheckpointTensor? Tensor)> Companions(QuantizedWeight weight) => weight switch
    {
        BnbWeight blockwise =>
        [
            ("absmax", blockwise.Absmax),
            ("quant_map", blockwise.QuantMap),
            ("nested_absmax", blockwise.NestedAbsmax),
            ("nested_quant_map", blockwise.NestedQuantMap),
        ],
        Int8Weight rows => [("SCB", rows.Scb)],
        Int4Weight groups => [("weight_scale", groups.Scale), ("weight_zero_point", groups.ZeroPoint)],
        _ => [],
    };

    private static string Word(bool value) => value ? "true" : "false";
}
