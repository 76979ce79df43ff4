using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy.IgnoreLists;

/// <summary>
/// A vLLM layer that several modules of the checkpoint are loaded into. vLLM asks the ignore list about the parts and wants
/// one answer.
/// </summary>
/// <param name="Name">The layer's own name.</param>
/// <param name="Parts">The names it asks about; they need not exist in the checkpoint.</param>
/// <param name="IsExperts">All experts of a block; then an entry with the layer's own name means nothing.</param>
internal sealed record VllmLayer(string Name, IReadOnlyList<string> Parts, bool IsExperts)
{
    private const string ExpertsMarker = ".experts.";
    private static readonly string[] ExpertParts = [".0.gate_proj", ".0.up_proj", ".0.down_proj"];

    /// <summary>
    /// The layers that hold the module; none when vLLM has one of the same name. Numbered experts are asked about by the
    /// first expert's three names, whatever the family calls them.
    /// </summary>
    public static IEnumerable<VllmLayer> Of(string module, FusedGroups groups)
    {
        ReadOnlySpan<char> block = ExpertsBlock(module);
        return block.IsEmpty ? Fused(module, groups) : [OfExperts(block.ToString())];
    }

    private static IEnumerable<VllmLayer> Fused(string module, FusedGroups groups)
    {
        return groups.Holding(module).Select(held =>
        {
            string name = held.Group.FusedName(module, held.Part);
            // vLLM replaces the word wherever it occurs in the name.
            return new VllmLayer(
                name, [.. held.Group.Parts.Select(part => name.Replace(held.Group.Fused, part, StringComparison.Ordinal))], IsExperts: false);
        });
    }

    /// <summary>The layer of a block of experts, given the block's name, which ends in <c>experts</c>.</summary>
    public static VllmLayer OfExperts(string block) => new(block, [.. ExpertParts.Select(part => block + part)], IsExperts: true);

    /// <summary>The path up to <c>experts</c> when an expert's number follows; empty when none does.</summary>
    public static ReadOnlySpan<char> ExpertsBlock(string module)
    {
        int from = 0;
        while (module.IndexOf(ExpertsMarker, from, StringComparison.Ordinal) is >= 0 and int at)
        {
            from = at + ExpertsMarker.Length;
            if (from < module.Length && char.IsAsciiDigit(module[from])) return module.AsSpan(0, from - 1);
            // The next one may begin with this one's dot.
            from--;
        }

        return [];
    }
}
