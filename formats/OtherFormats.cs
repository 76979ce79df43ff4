namespace Bnb.Formats;

/// <summary>Tensors of quantized formats that are not read. Taken for plain ones, their codes would pass for weights.</summary>
internal static class OtherFormats
{
    public const string Rule = "QNT0101";

    /// <summary>One problem per kind of tensor, about the first of them.</summary>
    public static void Report(WeightSearch search)
    {
        HashSet<string> names = [.. search.ByName.Keys];
        var found = search.Remaining
            .Select(tensor => (Tensor: tensor, Reason: QuantizedSource.Reason(tensor.Name, tensor.DType, names)))
            .Where(pair => pair.Reason is not null)
            .GroupBy(pair => pair.Reason!, StringComparer.Ordinal);
        foreach (var kind in found)
        {
            int more = kind.Count() - 1;
            string rest = more > 0 ? $", and {more} more like it" : "";
            search.Fatal(Rule, kind.First().Tensor.Name, $"{kind.Key}{rest}: a quantized format that is not read");
            search.Take(kind.Select(pair => pair.Tensor.Name));
        }
    }
}
