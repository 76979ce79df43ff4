namespace Bnb.Engine.Architectures;

/// <summary>What the atlas says about the tensors of one pattern of a class; numbers in names are <c>*</c>.</summary>
/// <param name="Pattern">The saved name.</param>
/// <param name="Kinds">One kind for each of the class's <see cref="ModelClass.Loaders"/>, in their order.</param>
/// <param name="MemoryNames">The name in memory for each of them where it differs from the saved one, else null.</param>
/// <param name="IsConv1D">Stored as [in, out].</param>
internal sealed record SavedTensor(
    string Pattern, IReadOnlyList<LayerKind> Kinds, IReadOnlyList<string?> MemoryNames, bool IsConv1D)
{
    // Asked for every tensor of the pattern, and there may be a hundred thousand.
    /// <summary>Every library version that has the tensor converts it.</summary>
    public bool IsLinearEverywhere { get; } =
        Kinds.Contains(LayerKind.Linear) && Kinds.All(static kind => kind is LayerKind.Linear or LayerKind.Absent);

    /// <summary>An expert's weight that some version fuses and every other one converts.</summary>
    public bool IsExpert { get; } = Kinds.Contains(LayerKind.Expert)
        && Kinds.All(static kind => kind is LayerKind.Expert or LayerKind.Linear or LayerKind.Absent);

    /// <summary>No version takes it for a linear layer or makes one of it.</summary>
    public bool IsNeverLinear { get; } = Kinds.All(static kind => kind is LayerKind.NotLinear or LayerKind.Absent);

    /// <summary>Whether some version has this kind.</summary>
    public bool Has(LayerKind kind) => Kinds.Contains(kind);

    /// <summary>The patterns of the names in memory, one for each loader that has the tensor.</summary>
    public IEnumerable<string> MemoryPatterns => MemoryNames
        .Select(name => name ?? Pattern).Where((_, i) => Kinds[i] != LayerKind.Absent).Distinct(StringComparer.Ordinal);
}
