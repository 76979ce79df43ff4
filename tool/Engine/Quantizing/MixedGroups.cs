using System.Text.RegularExpressions;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// int4 with groups of several sizes: config.json names the modules of each size but the run's own, which stays that of the class
/// <c>Linear</c>. compressed-tensors takes a module's name before its class. vLLM does too, but asks about a fused layer by its own name
/// first, then by its class, and by its parts last: so a target fits the fused name as well. Of experts older versions of vLLM ask
/// about the class only.
/// </summary>
internal static class MixedGroups
{
    /// <summary>The modules whose groups are not of the recipe's size, from small groups to large.</summary>
    /// <param name="tensors">All of the model, planned.</param>
    /// <param name="readers">The names by which loaders know the modules.</param>
    /// <exception cref="UserErrorException">OVERRIDE: groups do not divide a row, modules that vLLM loads as one have several sizes, or an expert has
    /// another size than the run's.</exception>
    public static IReadOnlyList<TargetedGroup> Of(QuantizeRecipe recipe, IReadOnlyList<TensorPlan> tensors, ModuleNames readers)
    {
        List<TensorPlan> others = [.. tensors.Where(tensor => SizeOf(tensor) is { } size && size != recipe.Blocksize)];
        if (others.Count == 0) return [];
        foreach (TensorPlan tensor in others) Refuse(tensor, readers);
        RefuseSplitLayers(tensors, readers);
        return
        [
            .. others.GroupBy(tensor => SizeOf(tensor)!.Value).OrderBy(group => group.Key).Select(group => new TargetedGroup(
                group.Key, [.. group.SelectMany(tensor => Targets(tensor, readers)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)])),
        ];
    }

    private static int? SizeOf(TensorPlan tensor) => (tensor.Quantization as Int4Quantization)?.Recipe.GroupSize;

    private static void Refuse(TensorPlan tensor, ModuleNames readers)
    {
        var form = (Int4Quantization)tensor.Quantization!;
        if (Names(tensor, readers).SelectMany(name => VllmLayer.Of(name, readers.Groups)).Any(layer => layer.IsExperts))
            throw Error(tensor, "experts have the group size of the run: some versions of vLLM ask for no other", "leave experts out of the pattern, or choose the size with --group-size");
        if (form.Columns % form.Recipe.GroupSize == 0) return;
        throw Error(tensor, $"groups of {form.Recipe.GroupSize} do not divide the {form.Columns} inputs of {DisplayText.Escape(tensor.Name)}", "use a group size that does, or keep");
    }

    private static void RefuseSplitLayers(IReadOnlyList<TensorPlan> tensors, ModuleNames readers)
    {
        Dictionary<string, TensorPlan> first = new(StringComparer.Ordinal);
        foreach (TensorPlan tensor in tensors.Where(tensor => SizeOf(tensor) is not null))
        {
            foreach (VllmLayer layer in Names(tensor, readers).SelectMany(name => VllmLayer.Of(name, readers.Groups)))
            {
                if (!first.TryAdd(layer.Name, tensor) && SizeOf(first[layer.Name]) != SizeOf(tensor))
                {
                    throw Error(
                        tensor,
                        $"vLLM loads {DisplayText.Escape(first[layer.Name].Name)} and {DisplayText.Escape(tensor.Name)} as one layer, with groups of one size",
                        "write a pattern that fits both");
                }
            }
        }
    }

    private static IEnumerable<string> Targets(TensorPlan tensor, ModuleNames readers)
    {
        foreach (string name in Names(tensor, readers))
        {
            List<string> fused =
            [
                .. readers.Groups.Holding(name).Select(held =>
                    $"{IgnoreEntry.RegexMark}{Regex.Escape(name[..^held.Part.Length])}(?:{string.Join('|', held.Group.Parts.Prepend(held.Group.Fused).Select(Regex.Escape))})$"),
            ];
            if (fused.Count > 0) foreach (string target in fused) yield return target;
            else yield return IgnoreEntry.IsUsable(name) ? name : $"{IgnoreEntry.RegexMark}{Regex.Escape(name)}$";
        }
    }

    private static IReadOnlyList<string> Names(TensorPlan tensor, ModuleNames readers) =>
        readers.Ignored(new ModuleName(ModuleName.WithoutWeight(tensor.Name)), tensor.Decision.Known);

    private static UserErrorException Error(TensorPlan tensor, string what, string action) => new(ExitCode.Usage, "OVERRIDE", what)
    {
        File = tensor.Source.File.Path,
        Tensor = tensor.Name,
        Action = action,
    };
}
