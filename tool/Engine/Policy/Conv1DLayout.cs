using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>Finds out whether a checkpoint's <c>c_attn</c>, <c>c_fc</c> … are Conv1D ([in, out]) or linear ([out, in]).</summary>
internal static class Conv1DLayout
{
    /// <summary>
    /// The bias has one value per output, so next to a non-square weight it tells the layout and outvotes the model type
    /// (GPTBigCode has the names but not the layout). Without such a witness the family decides.
    /// </summary>
    public static bool IsUsed(IReadOnlyList<PolicyTensor> tensors, bool familyUsesIt)
    {
        Dictionary<string, long> biases = new(StringComparer.Ordinal);
        List<PolicyTensor> weights = [];
        foreach (PolicyTensor tensor in tensors)
        {
            int dot = tensor.Name.LastIndexOf('.');
            if (dot < 0 || !FamilyCatalog.Conv1DLeaves.Contains(Leaf(tensor.Name.AsSpan(0, dot)))) continue;
            string module = tensor.Name[..dot];
            ReadOnlySpan<char> kind = tensor.Name.AsSpan(dot + 1);
            if (kind is "bias" && tensor.Shape.Count == 1) biases[module] = tensor.Shape[0];
            if (kind is "weight" && tensor.Shape.Count == 2) weights.Add(tensor);
        }

        int votes = 0;
        foreach (PolicyTensor weight in weights)
        {
            (long rows, long columns) = (weight.Shape[0], weight.Shape[1]);
            string module = weight.Name[..weight.Name.LastIndexOf('.')];
            if (rows == columns || !biases.TryGetValue(module, out long outputs)) continue;
            if (outputs == columns) votes++;
            if (outputs == rows) votes--;
        }

        return votes == 0 ? familyUsesIt : votes > 0;
    }

    /// <summary>
    /// Whether a weight that is stored quantized, and so already as [out, in], was a Conv1D. The bias is no witness any more
    /// there; the class decides, or where it is unknown the family or the original.
    /// </summary>
    /// <param name="isOriginal">The unquantized checkpoint was found to use Conv1D.</param>
    public static bool WasUsed(string weightName, ModelFacts facts, KnownModel model, bool isOriginal)
    {
        if (model.Find(weightName) is { } known) return known.Facts.IsConv1D;
        int dot = weightName.LastIndexOf('.');
        return dot > 0 && FamilyCatalog.Conv1DLeaves.Contains(Leaf(weightName.AsSpan(0, dot)))
            && (isOriginal || facts.SubModelTypes.Append(facts.ModelType).Append(facts.DecoderModelType)
                .OfType<string>().Any(FamilyCatalog.Conv1D.Contains));
    }

    private static string Leaf(ReadOnlySpan<char> module)
    {
        ReadOnlySpan<char> leaf = module[(module.LastIndexOf('.') + 1)..];
        return leaf.Length > 8 ? "" : leaf.ToString();
    }
}
