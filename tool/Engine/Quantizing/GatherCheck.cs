using Bnb.Engine.Errors;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using static System.FormattableString;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// Finds weights that a training run saved without gathering them: DeepSpeed's ZeRO-3 leaves a shape of [0] in the place of
/// each.
/// </summary>
internal static class GatherCheck
{
    private const int MostNamed = 5;

    /// <summary>Refuses a source in which a linear layer's or an embedding's weight is empty.</summary>
    /// <exception cref="UserErrorException">Names them.</exception>
    public static void RefuseUngathered(Checkpoint source, PolicyResult policy)
    {
        List<CheckpointTensor> empty = [.. source.Tensors.Where(tensor => IsUngathered(tensor) && IsMatrix(tensor.Name, policy))];
        if (empty.Count == 0) return;
        string names = string.Join(", ", empty.Take(MostNamed).Select(static tensor => DisplayText.Escape(tensor.Name)));
        throw new UserErrorException(ExitCode.InputMalformed, "TENSOR-EMPTY", Invariant($"{empty.Count} weights are empty, as DeepSpeed ZeRO-3 leaves them"))
        {
            File = empty[0].File.Path,
            Tensor = empty[0].Name,
            Facts = [("empty", names + (empty.Count > MostNamed ? ", …" : ""))],
            Action = "gather the weights and save again: zero_to_fp32.py, or stage3_gather_16bit_weights_on_model_save",
        };
    }

    /// <summary>The other empty tensors, for a warning; null when there are none.</summary>
    public static string? OtherEmpty(Checkpoint source)
    {
        List<string> empty = [.. source.Tensors.Where(static tensor => tensor.Shape.ElementCount == 0).Select(static tensor => DisplayText.Escape(tensor.Name))];
        return empty.Count == 0 ? null : Invariant($"{empty.Count} tensors have no elements, first {empty[0]}");
    }

    private static bool IsUngathered(CheckpointTensor tensor) => tensor.Shape.Dimensions is [0];

    private static bool IsMatrix(string name, PolicyResult policy) => policy.Known.Find(name) is not null
        || (ModuleName.PathOfWeight(name) is string path ? IsNamedLikeOne(new ModuleName(path)) : IsParameterOfLayers(name));

    private static bool IsNamedLikeOne(ModuleName module) =>
        LeafNames.IsEmbedding(module.Leaf) || LeafNames.IsEmbeddingLike(module.Leaf) || LeafNames.IsTableOfSeveral(module)
        || LeafNames.IsFamiliarLinear(module.Leaf) || FamilyCatalog.Heads.Contains(module.Leaf) || LeafNames.IsHead(module.Leaf);

    /// <summary>Linear layers without a module of their own: stacks of experts, and q, k and v of torch's attention in one.</summary>
    private static bool IsParameterOfLayers(string name) => !LinearRules.IsBias(name)
        && (name.Contains("experts.", StringComparison.Ordinal) || name.EndsWith("in_proj_weight", StringComparison.Ordinal));
}
