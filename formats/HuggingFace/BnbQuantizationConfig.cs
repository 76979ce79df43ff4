using Bnb.Formats.Json;

namespace Bnb.Formats.HuggingFace;

/// <summary>
/// The <c>quantization_config</c> member of a bitsandbytes checkpoint: the same members in the same order as transformers
/// writes them, because readers check types (<c>6.0</c>, not <c>6</c>) and take what is absent from defaults that are wrong
/// here.
/// </summary>
/// <param name="QuantType"><c>nf4</c> or <c>fp4</c>; must agree with the tensors.</param>
/// <param name="DoubleQuant">Whether block maxima are quantized again; must agree with the tensors.</param>
/// <param name="ComputeDType">The dtype to multiply in: <c>bfloat16</c>, <c>float16</c> or <c>float32</c>.</param>
/// <param name="QuantStorage">The dtype packed weights are stored as: <c>uint8</c> unless FSDP needs another.</param>
/// <param name="SkipModules">Module names that stay as they are; this list replaces the loader's own.</param>
public sealed record BnbQuantizationConfig(
    string QuantType, bool DoubleQuant, string ComputeDType, string QuantStorage, IReadOnlyList<string> SkipModules) : QuantizationConfig
{
    /// <summary>The threshold that transformers takes when none is given.</summary>
    public const double DefaultInt8Threshold = 6;

    /// <summary>True for LLM.int8(); the 4-bit members are written all the same, and no reader uses them then.</summary>
    public bool IsInt8 { get; private init; }

    /// <summary>Magnitude from which LLM.int8() multiplies a column of activations in 16 bits; 0 for never. It says nothing
    /// about the stored weights.</summary>
    public double Int8Threshold { get; private init; } = DefaultInt8Threshold;

    /// <inheritdoc/>
    public override string Method => "bitsandbytes";

    /// <summary>The config of an LLM.int8() checkpoint. Its 4-bit members have transformers' defaults, as in files that it
    /// writes.</summary>
    /// <param name="skipModules">Module names that stay as they are; this list replaces the loader's own.</param>
    /// <param name="threshold">See <see cref="Int8Threshold"/>; finite and not negative.</param>
    /// <exception cref="ArgumentOutOfRangeException">The threshold is negative, infinite or no number.</exception>
    public static BnbQuantizationConfig ForInt8(IReadOnlyList<string> skipModules, double threshold = DefaultInt8Threshold)
    {
        ArgumentNullException.ThrowIfNull(skipModules);
        if (!double.IsFinite(threshold) || threshold < 0) throw new ArgumentOutOfRangeException(nameof(threshold), threshold, null);
        return new BnbQuantizationConfig("fp4", DoubleQuant: false, "float32", "uint8", skipModules)
        {
            IsInt8 = true,
            Int8Threshold = threshold,
        };
    }

    // Sorted, as json.dumps(sort_keys=True) does.
    internal override string ToJson(JsonLayout layout) => layout.Object(
        2,
        ("_load_in_4bit", Flag(!IsInt8)),
        ("_load_in_8bit", Flag(IsInt8)),
        ("bnb_4bit_compute_dtype", PythonJson.Text(ComputeDType)),
        ("bnb_4bit_quant_storage", PythonJson.Text(QuantStorage)),
        ("bnb_4bit_quant_type", PythonJson.Text(QuantType)),
        ("bnb_4bit_use_double_quant", Flag(DoubleQuant)),
        ("llm_int8_enable_fp32_cpu_offload", "false"),
        ("llm_int8_has_fp16_weight", "false"),
        ("llm_int8_skip_modules", layout.Texts(3, SkipModules)),
        ("llm_int8_threshold", PythonJson.Float(Int8Threshold)),
        ("load_in_4bit", Flag(!IsInt8)),
        ("load_in_8bit", Flag(IsInt8)),
        ("quant_method", PythonJson.Text(Method)));

    private static string Flag(bool value) => value ? "true" : "false";
}
