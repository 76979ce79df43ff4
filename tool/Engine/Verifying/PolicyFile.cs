using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Engine.Policy;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Verifying;

/// <summary>
/// Limits per layer from a file: <c>{"default":{"max_rel_error":0.12},"rules":[{"match":"*.down_proj.weight","min_snr":16}]}</c>.
/// The last rule whose pattern fits decides; what it leaves open comes from <c>default</c>, and what that leaves open from
/// theory. Patterns are those of --include: they fit the whole tensor name or the whole module name.
/// </summary>
internal sealed class PolicyFile
{
    /// <summary>Code of every complaint about the file.</summary>
    public const string ErrorCode = "POLICY-FILE";

    private const int MostBytes = 1_000_000;
    private const int MostRules = 1000;
    private const int LongestPattern = 1000;
    private static readonly string[] RootMembers = ["default", "rules"];
    private static readonly string[] LimitMembers = ["max_rel_error", "min_snr", "max_kernel_error", "max_code_diffs"];
    private static readonly string[] RuleMembers = ["match", .. LimitMembers];

    private readonly JsonInput _input;
    private readonly string _prefix;
    private readonly Thresholds _default = Thresholds.FromTheory;
    private readonly List<(string Text, NamePattern Pattern, Thresholds Limits)> _rules = [];

    private PolicyFile(JsonInput input, JsonElement root, string prefix)
    {
        _input = input;
        _prefix = prefix;
        Dictionary<string, JsonElement> members = Known(root, "", RootMembers);
        if (members.TryGetValue("default", out JsonElement fallback))
            _default = ReadLimits(Known(fallback, "default", LimitMembers), "default");
        if (!members.TryGetValue("rules", out JsonElement rules)) return;
        if (rules.ValueKind != JsonValueKind.Array) throw input.RefuseMember("rules", JsonInput.Found(rules), "an array of objects");
        foreach (JsonElement rule in rules.EnumerateArray()) _rules.Add(ReadRule(rule, $"rules[{_rules.Count}]"));
    }

    /// <summary>Reads the whole file.</summary>
    /// <param name="prefix">What patterns may have before the names of layers: a component of a pipeline and a slash; empty for a model.</param>
    /// <exception cref="UserErrorException">POLICY-FILE: it cannot be read or does not say exactly what a policy can say.</exception>
    public static PolicyFile Read(string path, string prefix = "")
    {
        JsonInput input = InputOf(path);
        using JsonDocument document = input.Read(MostBytes);
        return new PolicyFile(input, document.RootElement, prefix);
    }

    /// <summary>Reads the content of a file. Pure: touches no file.</summary>
    /// <param name="path">For messages.</param>
    /// <exception cref="UserErrorException">POLICY-FILE: it does not say exactly what a policy can say.</exception>
    public static PolicyFile Parse(ReadOnlyMemory<byte> json, string path)
    {
        JsonInput input = InputOf(path);
        using JsonDocument document = input.Parse(json);
        return new PolicyFile(input, document.RootElement, prefix: "");
    }

    private static JsonInput InputOf(string path) => new(path, ErrorCode, "correct the policy file");

    /// <summary>The file's limits for a layer; null where theory decides.</summary>
    public Thresholds For(string tensorName)
    {
        for (int i = _rules.Count - 1; i >= 0; i--)
        {
            if (_rules[i].Pattern.IsMatchOfTensor(tensorName)) return _rules[i].Limits.Or(_default);
        }

        return _default;
    }

    /// <summary>The patterns that fit none of the names, in the order of the file: most likely misspelt.</summary>
    public IReadOnlyList<string> Unmatched(IEnumerable<string> names)
    {
        List<string> all = [.. names];
        return [.. _rules.Where(rule => !all.Any(name => rule.Pattern.IsMatchOfTensor(name))).Select(static rule => rule.Text)];
    }

    private (string Text, NamePattern Pattern, Thresholds Limits) ReadRule(JsonElement element, string place)
    {
        if (_rules.Count == MostRules) throw _input.RefuseMember("rules", $"more than {MostRules} rules", "fewer, wider patterns");
        Dictionary<string, JsonElement> members = Known(element, place, RuleMembers);
        string at = JsonInput.Join(place, "match");
        if (!members.TryGetValue("match", out JsonElement match)) throw _input.RefuseMember(at, "nothing", "a pattern");
        string pattern = _input.Text(match, at);
        if (pattern.Length is 0 or > LongestPattern)
            throw _input.RefuseMember(at, $"{pattern.Length} characters", $"a pattern of 1 to {LongestPattern} characters");
        Thresholds limits = ReadLimits(members, place);
        if (limits == Thresholds.FromTheory)
            throw _input.RefuseMember(place, "no limit", "one of " + string.Join(", ", LimitMembers));
        return (pattern, Compiled(pattern, at), limits);
    }

    private NamePattern Compiled(string pattern, string at)
    {
        try
        {
            return new NamePattern(pattern, _prefix);
        }
        catch (ArgumentException error)
        {
            throw _input.RefuseMember(at, DisplayText.Escape(error.Message), "a glob, or re: and a regular expression without look-around and back references");
        }
    }

    private Thresholds ReadLimits(Dictionary<string, JsonElement> members, string place)
    {
        double? snr = Number("min_snr", double.MinValue, "a number of dB");
        return new Thresholds(Number("max_rel_error", 0, Ratio), snr, Number("max_kernel_error", 0, Ratio), Whole("max_code_diffs"));

        double? Number(string name, double least, string expected)
        {
            if (!members.TryGetValue(name, out JsonElement value)) return null;
            // A number such as 1e999 reads as infinity, which would switch the check off without a word.
            if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number) && number >= least)
                return number;
            throw _input.RefuseMember(JsonInput.Join(place, name), JsonInput.Found(value), expected);
        }

        long? Whole(string name)
        {
            if (!members.TryGetValue(name, out JsonElement value)) return null;
            if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number >= 0) return number;
            throw _input.RefuseMember(JsonInput.Join(place, name), JsonInput.Found(value), "a whole number, 0 or more");
        }
    }

    private const string Ratio = "a number, 0 or more; 0.1 is 10 %";

    /// <summary>The members of an object that has no others than the known ones.</summary>
    private Dictionary<string, JsonElement> Known(JsonElement element, string place, IReadOnlyList<string> known)
    {
        Dictionary<string, JsonElement> members = _input.Members(element, place.Length == 0 ? "the file" : place);
        foreach (string name in members.Keys)
        {
            if (known.Contains(name)) continue;
            string list = string.Join(", ", known);
            string expected = NearestNames.Within(name, known, 3) is { } near ? $"{near}? There are {list}" : list;
            throw _input.RefuseMember(JsonInput.Join(place, name), $"unknown member {DisplayText.Escape(name)}", expected);
        }

        return members;
    }
}
