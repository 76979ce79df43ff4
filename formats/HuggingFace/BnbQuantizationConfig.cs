using System.Text;

namespace Bnb.Formats.HuggingFace;

/// <summary>
/// The <c>quantization_config</c> member of a 4-bit checkpoint: the same members in the same order as transformers writes
/// them, because readers check types (<c>6.0</c>, not <c>6</c>) and take what is absent from defaults that are wrong here.
/// </summary>
/// <param name="QuantType"><c>nf4</c> or <c>fp4</c>; must agree with the tensors.</param>
/// <param name="DoubleQuant">Whether block maxima are quantized again; must agree with the tensors.</param>
/// <param name="ComputeDType">The dtype to multiply in: <c>bfloat16</c>, <c>float16</c> or <c>float32</c>.</param>
/// <param name="QuantStorage">The dtype packed weights are stored as: <c>uint8</c> unless FSDP needs another.</param>
/// <param name="SkipModules">Module names that stay as they are; this list replaces the loader's own.</param>
public sealed record BnbQuantizationConfig(
    string QuantType, bool DoubleQuant, string ComputeDType, string QuantStorage, IReadOnlyList<string> SkipModules)
{
    /// <summary>The object in the layout asked for.</summary>
    internal string ToJson(JsonLayout layout)
    {
        StringBuilder json = new("{");
        string separator = "";
        foreach ((string name, string value) in Members(layout))
        {
            json.Append(separator).Append(layout.LineBreak(2)).Append(PythonJson.Text(name)).Append(layout.Colon).Append(value);
            separator = layout.Comma;
        }

        return json.Append(layout.LineBreak(1)).Append('}').ToString();
    }

    // Sorted, as json.dumps(sort_keys=True) does. An 8-bit variant differs in the values of the load members only.
    private IEnumerable<(string Name, string Value)> Members(JsonLayout layout) =>
    [
        ("_load_in_4bit", "true"),
        ("_load_in_8bit", "false"),
        ("bnb_4bit_compute_dtype", PythonJson.Text(ComputeDType)),
        ("bnb_4bit_quant_storage", PythonJson.Text(QuantStorage)),
        ("bnb_4bit_quant_type", PythonJson.Text(QuantType)),
        ("bnb_4bit_use_double_quant", DoubleQuant ? "true" : "false"),
        ("llm_int8_enable_fp32_cpu_offload", "false"),
        ("llm_int8_has_fp16_weight", "false"),
        ("llm_int8_skip_modules", SkipList(layout)),
        ("llm_int8_threshold", PythonJson.Float(6)),
        ("load_in_4bit", "true"),
        ("load_in_8bit", "false"),
        ("quant_method", "\"bitsandbytes\""),
    ];

    private string SkipList(JsonLayout layout)
    {
        if (SkipModules.Count == 0) return "[]";
        string items = string.Join(layout.Comma, SkipModules.Select(module => layout.LineBreak(3) + PythonJson.Text(module)));
        return $"[{items}{layout.LineBreak(2)}]";
    }
}
