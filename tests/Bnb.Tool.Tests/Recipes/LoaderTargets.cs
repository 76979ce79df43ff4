using System.Text.Json;
using System.Text.RegularExpressions;

namespace Bnb.Tool.Tests.Recipes;

/// <summary>
/// Which of <c>config_groups</c> the readers take for a module, as their sources say and with nothing of the product:
/// compressed-tensors (utils/match.py <c>match_targets</c>, lifecycle/apply.py <c>_scheme_from_targets</c>) and vLLM
/// (compressed_tensors/utils.py <c>find_matched_target</c>).
/// </summary>
internal sealed class LoaderTargets(JsonElement settings)
{
    private readonly List<(string Target, int GroupSize)> _targets =
    [
        .. settings.GetProperty("config_groups").EnumerateObject().SelectMany(group => group.Value.GetProperty("targets").EnumerateArray()
            .Select(target => (target.GetString()!, group.Value.GetProperty("weights").GetProperty("group_size").GetInt32()))),
    ];

    /// <summary>Sorted into names, patterns and, last, classes; the first that fits.</summary>
    public int? CompressedTensors(string module)
    {
        List<(string Target, int GroupSize)> sorted = [.. _targets.OrderBy(item => item.Target.Contains("re:", StringComparison.Ordinal)).ThenBy(item => item.Target, StringComparer.Ordinal)];
        return First(sorted, target => Fits(target, module)) ?? First(sorted, target => target == "Linear");
    }

    /// <summary>By the layer's own name, by its class, then by the names of its parts.</summary>
    /// <param name="layer">Such as <c>model.layers.0.self_attn.qkv_proj</c>.</param>
    /// <param name="layerClass">Such as <c>QKVParallelLinear</c>.</param>
    /// <param name="fused">The end of the fused name and its parts; no parts for a layer that is not fused.</param>
    public int? Vllm(string layer, string layerClass, string fused, params string[] parts)
    {
        if (First(_targets, target => Fits(target, layer)) is { } named) return named;
        bool IsClass(string target) => target.StartsWith("re:", StringComparison.Ordinal)
            ? Fits(target, layerClass)
            : layerClass.Contains(target, StringComparison.OrdinalIgnoreCase);
        if (First(_targets, IsClass) is { } ofClass) return ofClass;
        List<int?> found = [.. parts.Select(part => First(_targets, target => Fits(target, layer.Replace(fused, part, StringComparison.Ordinal))))];
        return found.Count > 0 && !found.Contains(null) ? found[0] : null;
    }

    private static int? First(IEnumerable<(string Target, int GroupSize)> targets, Func<string, bool> fits) =>
        targets.Where(item => fits(item.Target)).Select(item => (int?)item.GroupSize).FirstOrDefault();

    /// <summary>Equal, or Python's <c>re.match</c> of what follows <c>re:</c>.</summary>
    private static bool Fits(string target, string name) => target.StartsWith("re:", StringComparison.Ordinal)
        ? Regex.IsMatch(name, $"\\A(?:{target[3..]})", RegexOptions.CultureInvariant)
        : target == name;
}
