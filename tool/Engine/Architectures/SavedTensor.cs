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
        Contains(Kinds, LayerKind.Linear) && AreAll(Kinds, LayerKind.Linear, LayerKind.Absent);

    /// <summary>An expert's weight that some version fuses and every other one converts.</summary>
    public bool IsExpert { get; } =
        Contains(Kinds, LayerKind.Expert) && AreAll(Kinds, LayerKind.Expert, LayerKind.Linear, LayerKind.Absent);

    /// <summary>No version takes it for a linear layer or makes one of it.</summary>
    public bool IsNeverLinear { get; } = AreAll(Kinds, LayerKind.NotLinear, LayerKind.Absent);

    /// <summary>Whether some version has this kind.</summary>
    public bool Has(LayerKind kind) => Contains(Kinds, kind);

    /// <summary>The patterns of the names in memory, one for each loader that has the tensor.</summary>
    public IEnumerable<string> MemoryPatterns => MemoryNames
        .Select(name => name ?? Pattern).Where((_, i) => Kinds[i] != LayerKind.Absent).Distinct(StringComparer.Ordinal);

    private static bool Contains(IReadOnlyList<LayerKind> kinds, LayerKind kind)
    {
        for (int i = 0; i < kinds.Count; i++)
            if (kinds[i] == kind) return true;

        return false;
    }

    private static bool AreAll(IReadOnlyList<LayerKind> kinds, LayerKind a, LayerKind b, LayerKind? c = null)
    {
        for (int i = 0; i < kinds.Count; i++)
            if (kinds[i] != a && kinds[i] != b && kinds[i] != c) return false;

        return true;
    }
}
