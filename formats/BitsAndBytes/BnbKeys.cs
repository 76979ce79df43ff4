namespace Bnb.Formats.BitsAndBytes;

/// <summary>
/// The tensor names that bitsandbytes puts beside a quantized weight. Source: bitsandbytes 0.50,
/// <c>functional.py</c> (<c>QuantState.as_dict</c>) and <c>nn/modules.py</c>.
/// </summary>
public static class BnbKeys
{
    /// <summary>Suffix of the block maxima: F32, or U8 codes with double quantization; shape [blocks].</summary>
    public const string AbsmaxSuffix = ".absmax";

    /// <summary>Suffix of the code book: F32 [16].</summary>
    public const string QuantMapSuffix = ".quant_map";

    /// <summary>Suffix of the maxima of the block maxima: F32 [blocks of 256].</summary>
    public const string NestedAbsmaxSuffix = ".nested_absmax";

    /// <summary>Suffix of the second code book: F32 [256].</summary>
    public const string NestedQuantMapSuffix = ".nested_quant_map";

    /// <summary>Suffix of the state blob, to which the quant type is appended: U8 [length of the JSON].</summary>
    public const string QuantStatePrefix = ".quant_state.bitsandbytes__";

    /// <summary>Suffix of the row maxima of an LLM.int8() module: F32 [rows]. It follows the module's name, not the
    /// weight's.</summary>
    public const string ScbSuffix = ".SCB";

    /// <summary>Suffix of the layout of an LLM.int8() module: a U8 scalar 0.</summary>
    public const string WeightFormatSuffix = ".weight_format";

    /// <summary>Name of the block maxima of a weight.</summary>
    public static string Absmax(string weightName) => weightName + AbsmaxSuffix;

    /// <summary>Name of the code book of a weight.</summary>
    public static string QuantMap(string weightName) => weightName + QuantMapSuffix;

    /// <summary>Name of the second-level maxima of a weight.</summary>
    public static string NestedAbsmax(string weightName) => weightName + NestedAbsmaxSuffix;

    /// <summary>Name of the second-level code book of a weight.</summary>
    public static string NestedQuantMap(string weightName) => weightName + NestedQuantMapSuffix;

    /// <summary>Name of the state blob of a weight.</summary>
    /// <param name="weightName">The weight's tensor name, for example <c>model.layers.0.mlp.up_proj.weight</c>.</param>
    /// <param name="quantType"><c>nf4</c> or <c>fp4</c>.</param>
    public static string QuantState(string weightName, string quantType) => weightName + QuantStatePrefix + quantType;

    /// <summary>Name of the row maxima of an LLM.int8() module.</summary>
    public static string ScbFor(string moduleName) => moduleName + ScbSuffix;

    /// <summary>Name of the layout scalar of an LLM.int8() module.</summary>
    public static string WeightFormatFor(string moduleName) => moduleName + WeightFormatSuffix;

    /// <summary>True for the name of a tensor that only makes sense beside a weight that bitsandbytes quantized.</summary>
    public static bool IsCompanion(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.EndsWith(AbsmaxSuffix, StringComparison.Ordinal)
            || key.EndsWith(QuantMapSuffix, StringComparison.Ordinal)
            || key.EndsWith(NestedAbsmaxSuffix, StringComparison.Ordinal)
            || key.EndsWith(NestedQuantMapSuffix, StringComparison.Ordinal)
            || key.EndsWith(ScbSuffix, StringComparison.Ordinal)
            || key.EndsWith(WeightFormatSuffix, StringComparison.Ordinal)
            || key.Contains(QuantStatePrefix, StringComparison.Ordinal);
    }
}
