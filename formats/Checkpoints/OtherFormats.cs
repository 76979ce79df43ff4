using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.Checkpoints;

/// <summary>Tensors of quantized formats that are not read. Taken for plain ones, their codes would pass for weights.</summary>
internal static class OtherFormats
{
    public const string Rule = "QNT0101";

    /// <summary>One problem per kind of tensor, about the first of them.</summary>
    /// <param name="named">Tensors of formats that were told by their names alone.</param>
    /// <returns>All tensors concerned, those too.</returns>
    public static IReadOnlyList<CheckpointTensor> Report(WeightSearch search, IEnumerable<CheckpointTensor> named)
    {
        var all = new HashSet<CheckpointTensor>(named, ReferenceEqualityComparer.Instance);
        HashSet<string> known = [.. search.ByName.Keys];
        Func<string, bool> names = known.Contains;
        var found = search.Remaining
            .Select(tensor => (Tensor: tensor, Reason: Codes(tensor, names) ?? QuantizedSource.Reason(tensor.Name, tensor.DType, names)))
            .Where(pair => pair.Reason is not null)
            .GroupBy(pair => pair.Reason!, StringComparer.Ordinal);
        foreach (var kind in found)
        {
            Say(search, kind.First().Tensor.Name, kind.Key, kind.Count());
            search.Take(kind.Select(pair => pair.Tensor.Name));
            all.UnionWith(kind.Select(pair => pair.Tensor));
        }

        return [.. search.Tensors.Where(all.Contains)];
    }

    /// <summary>Adds the problem of one kind of tensors.</summary>
    public static void Say(WeightSearch search, string first, string kind, int count)
    {
        string method = search.Config?.QuantMethod is { } given ? $" (quant_method {DisplayText.Escape(given)})" : "";
        string rest = count > 1 ? $", and {count - 1} more like it" : "";
        search.Fatal(Rule, first, $"{kind}{rest}: quantized in a format that is not read{method}");
    }

    /// <summary>Integers under the name of a weight; what the recognizers of LLM.int8() left.</summary>
    private static string? Codes(CheckpointTensor tensor, Func<string, bool> names)
    {
        if (CompressedTensorsKeys.PrefixOf(tensor.Name, CompressedTensorsKeys.Weight) is not { } prefix) return null;
        if (names(prefix + CompressedTensorsKeys.Scale)) return tensor.DType == DType.I8 ? "I8 codes with a weight_scale" : null;
        return QuantizedSource.IsCodes(tensor) && QuantizedSource.Reason(tensor.Name, tensor.DType, names) is null
            ? QuantizedSource.CodesOf(tensor)
            : null;
    }
}
