namespace Bnb.Formats.CompressedTensors;

/// <summary>
/// The tensors that compressed-tensors puts in place of a module's <c>weight</c>; each name is the module's, a point and one of
/// these. Source: <c>compressors/pack_quantized/base.py</c>.
/// </summary>
public static class CompressedTensorsKeys
{
    /// <summary>The codes, eight to an I32.</summary>
    public const string Packed = "weight_packed";

    /// <summary>The scale of each group.</summary>
    public const string Scale = "weight_scale";

    /// <summary>The zero point of each group, eight rows to an I32.</summary>
    public const string ZeroPoint = "weight_zero_point";

    /// <summary>The shape before packing.</summary>
    public const string Shape = "weight_shape";

    /// <summary>The group of each column when columns were reordered by their activations.</summary>
    public const string GroupIndex = "weight_g_idx";

    /// <summary>The dense weight.</summary>
    public const string Weight = "weight";

    /// <summary>
    /// The module's name and its point, or nothing when the tensor has no module; null when the name does not end in
    /// <paramref name="part"/>.
    /// </summary>
    public static string? PrefixOf(string tensorName, string part)
    {
        ArgumentNullException.ThrowIfNull(tensorName);
        ArgumentNullException.ThrowIfNull(part);
        if (!tensorName.EndsWith(part, StringComparison.Ordinal)) return null;
        string prefix = tensorName[..^part.Length];
        return prefix.Length == 0 || prefix[^1] == '.' ? prefix : null;
    }
}
