using System.Text.RegularExpressions;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy.IgnoreLists;

/// <summary>
/// A compiled <c>quantization_config.ignore</c> of a checkpoint whose scheme targets the class <c>Linear</c>. For each reader
/// it answers what becomes of a linear layer:
/// <list type="bullet">
/// <item>An entry without <c>re:</c> is compared with the whole name, in all readers. There are no prefixes.</item>
/// <item><c>re:</c> and a pattern is Python's <c>re.match</c>, a prefix match, on the name; compressed-tensors up to 0.10
/// also tries it on the class name.</item>
/// <item>compressed-tensors also compares an entry with the class's name, and since 0.11 with its base classes' names:
/// <c>Linear</c> or <c>Module</c> ignores everything. vLLM does not.</item>
/// <item>vLLM asks about the parts of a <see cref="VllmLayer"/> together. Versions before November 2025 take all experts
/// for quantized whatever the list says, which no list can change and so is not among the answers.</item>
/// </list>
/// Sources: compressed-tensors 0.9 and 0.18 (lifecycle/apply.py, utils/match.py); vLLM (compressed_tensors/utils.py,
/// compressed_tensors_moe.py, 2026-08). vLLM first maps the entries with its model's own name mapping; ask with its names.
/// </summary>
internal sealed class IgnoreList
{
    private const string Linear = "Linear";
    private const string Module = "Module";
    private const RegexOptions PythonLike = RegexOptions.CultureInvariant | RegexOptions.NonBacktracking;
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly List<Regex> _regexes = [];
    private readonly List<string> _unreadable = [];
    private readonly FusedGroups _groups;
    private readonly bool _ignoresClass;
    private readonly bool _ignoresClassBefore11;

    /// <summary>Compiles the entries.</summary>
    /// <param name="entries">The list.</param>
    /// <param name="groups">What vLLM fuses in the model.</param>
    public IgnoreList(IEnumerable<string> entries, FusedGroups groups)
    {
        _groups = groups;
        foreach (string entry in entries)
        {
            if (!entry.StartsWith(IgnoreEntry.RegexMark, StringComparison.Ordinal)) _names.Add(entry);
            else if (Compile(entry[IgnoreEntry.RegexMark.Length..]) is { } regex) _regexes.Add(regex);
            else _unreadable.Add(entry);
        }

        _ignoresClass = _names.Contains(Linear) || _names.Contains(Module);
        _ignoresClassBefore11 = _names.Contains(Linear) || _regexes.Exists(static regex => regex.IsMatch(Linear));
    }

    /// <summary>
    /// Regular expressions left out of the answers: not valid, or with look-around or back references, which cannot be run
    /// in bounded time.
    /// </summary>
    public IReadOnlyList<string> Unreadable => _unreadable;

    /// <summary>What <paramref name="reader"/> makes of the linear layer <paramref name="module"/>.</summary>
    public IgnoreAnswer Ask(IgnoreReader reader, string module)
    {
        switch (reader)
        {
            case IgnoreReader.CompressedTensors: return Answer(_ignoresClass || Matches(module));
            case IgnoreReader.CompressedTensors10: return Answer(_ignoresClassBefore11 || Matches(module));
        }

        IgnoreAnswer? found = null;
        foreach (VllmLayer layer in VllmLayer.Of(module, _groups))
        {
            IgnoreAnswer answer = AskLayer(reader, layer);
            if (answer == IgnoreAnswer.Refused || found is { } other && other != answer) return IgnoreAnswer.Refused;
            found = answer;
        }

        return found ?? Answer(Matches(module));
    }

    private IgnoreAnswer AskLayer(IgnoreReader reader, VllmLayer layer)
    {
        if (!layer.IsExperts && reader != IgnoreReader.Vllm06 && _names.Contains(layer.Name)) return IgnoreAnswer.Ignored;
        int ignored = layer.Parts.Count(Matches);
        if (ignored == 0 || ignored == layer.Parts.Count) return Answer(ignored > 0);
        return reader == IgnoreReader.VllmLenient && !layer.IsExperts ? IgnoreAnswer.Ignored : IgnoreAnswer.Refused;
    }

    private static IgnoreAnswer Answer(bool ignored) => ignored ? IgnoreAnswer.Ignored : IgnoreAnswer.Quantized;

    private bool Matches(string name)
    {
        if (_names.Contains(name)) return true;
        foreach (Regex regex in _regexes)
            if (regex.IsMatch(name)) return true;

        return false;
    }

    private static Regex? Compile(string pattern)
    {
        try
        {
            return new Regex($"\\A(?:{pattern})", PythonLike);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            return null;
        }
    }
}
