using Bnb.Engine.Architectures;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Quantizing;

/// <summary>The tensors of a source as a loader has them that is given a dtype, before anything is quantized.</summary>
internal static class LoaderCast
{
    /// <summary>Casts all but what the model's loaders keep in float32 whatever dtype they are given.</summary>
    /// <param name="policy">Of these tensors, in their order.</param>
    public static IReadOnlyList<TensorPlan> Apply(ElementType type, IReadOnlyList<TensorPlan> tensors, PolicyResult policy) =>
    [
        .. tensors.Zip(policy.Decisions, (tensor, decision) => IsKept(decision, policy.Known) ? tensor : Cast.To(type, tensor)),
    ];

    // The lists hold names of modules and of bare parameters, each one or more whole components of a path.
    private static bool IsKept(TensorDecision decision, KnownModel known)
    {
        if (decision.Rule == RuleIds.KeepFloat32) return true;
        string path = $".{decision.Tensor.Name}.";
        return known.Parts.SelectMany(static part => part.Class.KeptInFloat32).SelectMany(static list => list)
            .Any(entry => path.Contains($".{entry}.", StringComparison.Ordinal));
    }
}
