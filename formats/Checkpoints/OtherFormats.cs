using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.Checkpoints;

/// <summary>Tensors of quantized formats that are not read. Taken for plain ones, their codes would pass for weights.</summary>
internal static class OtherFormats
{
    public const string Rule = "QNT0101";

    /// <summary>One problem per kind of tensor, about the first of them.</summary>
    /// <returns>All tensors concerned.</returns>
    public static IReadOnlyList<CheckpointTensor> Report(WeightSearch search)
    {
        var all = new HashSet<CheckpointTensor>(ReferenceEqualityComparer.Instance);
        HashSet<string> names = [.. search.ByName.Keys];
        string method = search.Config?.QuantMethod is { } given ? $" (quant_method {DisplayText.Escape(given)})" : "";
        var found = search.Remaining
            .Select(tensor => (Tensor: tensor, Reason: Codes(tensor, names) ?? QuantizedSource.Reason(tensor.Name, tensor.DType, names)))
            .Where(pair => pair.Reason is not null)
            .GroupBy(pair => pair.Reason!, StringComparer.Ordinal);
        foreach (var kind in found)
        {
            int more = kind.Count() - 1;
            string rest = more > 0 ? $", and {more} more like it" : "";
            search.Fatal(Rule, kind.First().Tensor.Name, $"{kind.Key}{rest}: quantized in a format that is not read{method}");
            search.Take(kind.Select(pair => pair.Tensor.Name));
            all.UnionWith(kind.Select(pair => pair.Tensor));
        }

        return [.. search.Tensors.Where(all.Contains)];
    }

    /// <summary>Integers under the name of a weight; what the recognizers of LLM.int8() left.</summary>
    private static string? Codes(CheckpointTensor tensor, HashSet<string> names) =>
        tensor.DType == DType.I8
        && CompressedTensorsKeys.PrefixOf(tensor.Name, CompressedTensorsKeys.Weight) is { } prefix
        && names.Contains(prefix + CompressedTensorsKeys.Scale)
            ? "I8 codes with a weight_scale"
            : null;
}
