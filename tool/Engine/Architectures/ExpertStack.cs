namespace Bnb.Engine.Architectures;

/// <summary>
/// A tensor with the matrices of all experts of a block, and the names that their weights have one by one:
/// <c>mlp.experts.gate_up_proj</c> is <c>mlp.experts.0.gate_proj.weight</c>, <c>mlp.experts.0.up_proj.weight</c>, and so on.
/// </summary>
/// <param name="Block">What comes before <c>experts.</c> in the names of the weights, with its dot; empty at the top.</param>
/// <param name="StoredBlock">The same in the name of the stack; another one where transformers 5 renames the block in memory.</param>
/// <param name="Leaf">The stack's own name behind <c>experts.</c>.</param>
/// <param name="Parts">Ends of the weights' names behind the expert's number, in the order in which their rows follow each other
/// in an expert's matrix: one, or gate and up.</param>
/// <param name="Model">The class that has it.</param>
internal sealed record ExpertStack(string Block, string StoredBlock, string Leaf, IReadOnlyList<string> Parts, ModelClass Model)
{
    private const string Experts = "experts.";

    /// <summary>What every loader of the class makes of such a weight; null where no class of transformers has the names.</summary>
    public SavedTensor? Facts { get; init; }

    /// <summary>The name of an expert's weight.</summary>
    public string NameOf(long expert, int part) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture, $"{Block}{Experts}{expert}.{Parts[part]}");

    /// <summary>Whether a loader of transformers reads the names one by one: packed, or plain and in compressed-tensors form.</summary>
    public bool IsReadBy(Loader loader)
    {
        for (int i = 0; Facts is not null && i < Model.Loaders.Count; i++)
            if (Model.Loaders[i] == loader) return Facts.Kinds[i] is LayerKind.Linear or LayerKind.Expert;

        return false;
    }
}
