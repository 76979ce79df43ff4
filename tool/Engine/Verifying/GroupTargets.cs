using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Verifying;

/// <summary>
/// Which of compressed-tensors' <c>config_groups</c> a linear layer belongs to. A target is compared as an entry of
/// <c>ignore</c> is: a module's full name, a pattern after <c>re:</c>, or the class <c>Linear</c>; a more special one of these
/// counts before the others, wherever it stands.
/// </summary>
internal sealed class GroupTargets(IEnumerable<QuantizationGroup> groups)
{
    private static readonly Func<string, bool>[] Kinds =
    [
        static target => !IsPattern(target) && !IsClass(target),
        IsPattern,
        IsClass,
    ];

    private readonly List<(QuantizationGroup Group, IgnoreList Targets)> _groups =
    [
        .. Kinds.SelectMany(kind => groups.Where(static group => group.HasWeights)
            .Select(group => (group, new IgnoreList((group.Targets ?? []).Where(kind), FusedGroups.Usual)))),
    ];

    /// <summary>The group that targets the module, the first in the order of the file among equals; null when none does.</summary>
    public QuantizationGroup? Of(string module) =>
        _groups.FirstOrDefault(item => item.Targets.Ask(IgnoreReader.CompressedTensors, module) == IgnoreAnswer.Ignored).Group;

    private static bool IsPattern(string target) => target.StartsWith(IgnoreEntry.RegexMark, StringComparison.Ordinal);

    private static bool IsClass(string target) => target is "Linear" or "Module";
}
