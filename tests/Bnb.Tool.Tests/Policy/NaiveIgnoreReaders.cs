using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace Bnb.Tool.Tests.Policy;

/// <summary>
/// The readers of compressed-tensors' <c>ignore</c>, restated as plainly as possible for a layer of the class Linear. Each
/// answers "quantized", "ignored" or "refused". The yardstick for <see cref="Bnb.Engine.Policy.IgnoreLists.IgnoreList"/>.
/// </summary>
internal static class NaiveIgnoreReaders
{
    private static readonly ConcurrentDictionary<string, Regex> Compiled = new();

    private static readonly Dictionary<string, string[]> PackedModules = new()
    {
        ["qkv_proj"] = ["q_proj", "k_proj", "v_proj"],
        ["gate_up_proj"] = ["gate_proj", "up_proj"],
    };

    private static readonly string[] ExpertParts = [".0.gate_proj", ".0.up_proj", ".0.down_proj"];

    public static readonly IReadOnlyDictionary<string, Func<IReadOnlyList<string>, string, string>> All =
        new Dictionary<string, Func<IReadOnlyList<string>, string, string>>
        {
            ["CompressedTensors"] = static (ignore, name) => Word(ignore.Any(entry => IsMatch(entry, name))),
            ["CompressedTensors10"] = static (ignore, name) => Word(FindMatches(ignore, name) || FindMatches(ignore, "Linear")),
            ["Vllm06"] = static (ignore, name) => Vllm(ignore, name, listedLayerCounts: false, anyPart: false),
            ["Vllm"] = static (ignore, name) => Vllm(ignore, name, listedLayerCounts: true, anyPart: false),
            ["VllmLenient"] = static (ignore, name) => Vllm(ignore, name, listedLayerCounts: true, anyPart: true),
        };

    // match.py of 0.18: is_match = match_name or _match_class over the bases, nn.Linear and nn.Module.
    private static bool IsMatch(string entry, string name) =>
        (entry.StartsWith("re:", StringComparison.Ordinal) ? Match(entry[3..], name) : entry == name)
        || entry is "Linear" or "Module";

    // apply.py of 0.9: _find_matches, once for the name and once for the class.
    private static bool FindMatches(IReadOnlyList<string> ignore, string value) => ignore.Any(entry =>
        entry.StartsWith("re:", StringComparison.Ordinal) ? Match(entry[3..], value) : entry == value);

    private static string Vllm(IReadOnlyList<string> ignore, string name, bool listedLayerCounts, bool anyPart)
    {
        Match expert = Regex.Match(name, @"\A(.*?\.experts)\.[0-9]", RegexOptions.Singleline);
        if (expert.Success)
        {
            bool[] experts = [.. ExpertParts.Select(part => FindMatches(ignore, expert.Groups[1].Value + part))];
            return experts.Distinct().Count() > 1 ? "refused" : Word(experts[0]);
        }

        string leaf = name.Split('.')[^1];
        foreach ((string fused, string[] parts) in PackedModules)
        {
            if (!parts.Contains(leaf)) continue;
            string layer = name[..(name.Length - leaf.Length)] + fused;
            if (listedLayerCounts && ignore.Contains(layer)) return Word(FindMatches(ignore, layer));
            bool[] shards = [.. parts.Select(part => FindMatches(ignore, layer.Replace(fused, part, StringComparison.Ordinal)))];
            if (anyPart) return Word(shards.Any(static shard => shard));
            return shards.Distinct().Count() > 1 ? "refused" : Word(shards[0]);
        }

        return Word(FindMatches(ignore, name));
    }

    private static string Word(bool ignored) => ignored ? "ignored" : "quantized";

    private static bool Match(string pattern, string name) =>
        Compiled.GetOrAdd(pattern, static text => new Regex("\\A(?:" + text + ")", RegexOptions.CultureInvariant)).IsMatch(name);
}
