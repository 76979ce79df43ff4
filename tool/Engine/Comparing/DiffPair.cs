using Bnb.Engine.DataTypes;

namespace Bnb.Engine.Comparing;

/// <summary>What of a pair can be compared.</summary>
internal enum PairContent
{
    /// <summary>Nothing: shapes differ, or one side is no number.</summary>
    Nothing,

    /// <summary>Elements of one dtype, by their bits.</summary>
    Elements,

    /// <summary>Floating-point values, whatever stores them.</summary>
    Values,
}

/// <summary>One thing about a weight's form that is not the same on both sides.</summary>
/// <param name="What">dtype, shape, quantized, or a fact that <see cref="WeightForm"/> names.</param>
internal sealed record FormChange(string What, string A, string B);

/// <summary>A weight that both checkpoints have.</summary>
/// <param name="Changes">What headers and quant_states already tell.</param>
/// <param name="Transposed">
/// The plain side stores [in, out] (GPT-2's Conv1D) where the packed one is [out, in]; indices then count in [out, in].
/// </param>
internal sealed record DiffPair(DiffWeight A, DiffWeight B, IReadOnlyList<FormChange> Changes, PairContent Content, bool Transposed)
{
    public string Name => A.Name;

    /// <summary>Both packed in the same way, so that codes and scales belong to each other.</summary>
    public bool CodesCompare => Content == PairContent.Values && A.Packed is { } a && B.Packed is { } b && WeightForm.CodesCompare(a, b);

    /// <summary>Codes compare, and companions too, byte for byte.</summary>
    public bool PartsCompare => CodesCompare && WeightForm.PartsCompare(A.Packed!, B.Packed!);

    /// <summary>Both plain with the same dtype, so that stored bytes belong to each other.</summary>
    public bool BytesCompare => Content != PairContent.Nothing && A.Packed is null && B.Packed is null;

    /// <summary>Shape of the values as they are compared.</summary>
    public IReadOnlyList<long> Shape => A.Packed is not null ? A.Shape : B.Shape;

    public static DiffPair Of(DiffWeight a, DiffWeight b, WeightLayout layout)
    {
        bool transposed = IsTransposed(a, b, layout);
        List<FormChange> changes = [.. FormChanges(a, b)];
        bool sameShape = transposed || a.Shape.SequenceEqual(b.Shape);
        if (!sameShape) changes.Add(new FormChange("shape", a.ShapeText, b.ShapeText));
        bool sameElements = a.Packed is null && b.Packed is null && a.Stored.DType == b.Stored.DType;
        PairContent content = !sameShape ? PairContent.Nothing
            : a.HasValues && b.HasValues ? PairContent.Values
            : sameElements ? PairContent.Elements
            : PairContent.Nothing;
        return new DiffPair(a, b, changes, content, transposed);
    }

    private static bool IsTransposed(DiffWeight a, DiffWeight b, WeightLayout layout)
    {
        if (a.Packed is null == b.Packed is null || a.Shape.Count != 2 || b.Shape.Count != 2) return false;
        return a.Shape[0] == b.Shape[1] && a.Shape[1] == b.Shape[0]
            && layout.WasConv1D((a.Packed ?? b.Packed)!);
    }

    private static IEnumerable<FormChange> FormChanges(DiffWeight a, DiffWeight b)
    {
        if (a.Packed is not { } packedA || b.Packed is not { } packedB)
        {
            if (a.Format != b.Format) yield return new FormChange(a.Packed is null && b.Packed is null ? "dtype" : "quantized", a.Format, b.Format);
            yield break;
        }

        foreach (FormChange change in WeightForm.Changes(packedA, packedB)) yield return change;
    }
}
