using Bnb.Formats.Tensors;

namespace Bnb.Formats.ScaledFloats;

/// <summary>
/// Names of the tensors beside FP8 and FP4 weights. Sources: transformers 5.23 (<c>integrations/finegrained_fp8.py</c>,
/// <c>integrations/mxfp4.py</c>), compressed-tensors 0.20 (<c>compressors/</c>), modelopt 0.47 (<c>export/</c>).
/// </summary>
internal static class ScaledFloatKeys
{
    /// <summary>After the weight's name: scales of FP8 blocks. They multiply, whatever the name says.</summary>
    public const string ScaleInverse = "_scale_inv";

    /// <summary>After the weight's name: scales of compressed-tensors, AutoFP8 and modelopt.</summary>
    public const string Scale = "_scale";

    /// <summary>After the weight's name: the one scale of modelopt's scales.</summary>
    public const string SecondScale = "_scale_2";

    /// <summary>After the weight's name: codes of gpt-oss.</summary>
    public const string Blocks = "_blocks";

    /// <summary>After the weight's name: scales of gpt-oss.</summary>
    public const string Scales = "_scales";

    /// <summary>After a module's name and its point: FP4 codes of compressed-tensors.</summary>
    public const string Packed = "weight_packed";

    /// <summary>After a module's name and its point: the one scale of NVFP4's scales.</summary>
    public const string GlobalScale = "weight_global_scale";

    /// <summary>After a module's name and its point: what only quantized activations and caches need.</summary>
    private static readonly string[] UnusedParts =
    [
        "input_scale", "input_scale_inv", "input_global_scale", "activation_scale", "activation_scale_inv", "output_scale", "k_scale", "v_scale",
    ];

    /// <summary>After a module's name and its point: what inputs are multiplied with first (modelopt's AWQ). The weight alone is not
    /// the layer's then.</summary>
    private const string InputFactor = "pre_quant_scale";

    /// <summary>Reports a weight whose inputs are scaled first.</summary>
    /// <returns>Whether it is one.</returns>
    public static bool RefuseScaledInputs(WeightSearch search, string weightName)
    {
        string name = Prefix(weightName) + InputFactor;
        if (search.Find(name) is null) return false;
        search.Take(name);
        search.Fatal("FP0105", name, "multiplies the layer's inputs, for which a dense weight has no place");
        return true;
    }

    /// <summary>The module's name and its point; the last part of a tensor's name is cut off.</summary>
    public static string Prefix(string tensorName) => tensorName[..(tensorName.LastIndexOf('.') + 1)];

    /// <summary>Names of the tensors that go with a weight without a part in its values.</summary>
    public static IEnumerable<string> Unused(string weightName)
    {
        string prefix = Prefix(weightName);
        foreach (string part in UnusedParts) yield return prefix + part;
        // Fused experts have no module of their own: gate_up_proj_input_scale, or with a point.
        yield return weightName + "_input_scale";
        yield return weightName + "_activation_scale";
    }
}
