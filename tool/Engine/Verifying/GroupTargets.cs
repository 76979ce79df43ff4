using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Verifying;

/// <summary>
/// Which of compressed-tensors' <c>config_groups</c> a linear layer belongs to. A target is compared as an entry of
/// <c>ignore</c> is: the class <c>Linear</c>, a module's full name, or a pattern after <c>re:</c>.
/// </summary>
internal sealed class GroupTargets(IEnumerable<QuantizationGroup> groups)
{
    private readonly List<(QuantizationGroup Group, IgnoreList Targets)> _groups =
    [
        .. groups.Where(static group => group.HasWeights).Select(static group => (group, new IgnoreList(group.Targets ?? [], FusedGroups.Usual))),
    ];

    /// <summary>The first group in the order of the file that targets the module; null when none does.</summary>
    public QuantizationGroup? Of(string module) =>
        _groups.FirstOrDefault(item => item.Targets.Ask(IgnoreReader.CompressedTensors, module) == IgnoreAnswer.Ignored).Group;
}
