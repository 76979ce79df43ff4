using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.BitsAndBytes;

/// <summary>Recognizes LLM.int8() weights: an I8 <c>weight</c> and the module's <c>SCB</c>, or either without the other.</summary>
internal static class Int8Weights
{
    private const string Weight = ".weight";

    public static void Recognize(WeightSearch search)
    {
        IReadOnlyList<CheckpointTensor> remaining = search.Remaining;
        Dictionary<string, byte[]> formats = WeightSearch.ReadAll(remaining.Where(
            tensor => Ends(tensor.Name, BnbKeys.WeightFormatSuffix) && tensor is { DType: DType.U8, ByteCount: 1 }));
        foreach (CheckpointTensor tensor in remaining)
        {
            if (tensor.DType == DType.I8 && Ends(tensor.Name, Weight)) OfCodes(search, tensor, formats);
        }

        foreach (CheckpointTensor tensor in remaining.Where(tensor => !search.IsTaken(tensor.Name)))
        {
            if (Ends(tensor.Name, BnbKeys.ScbSuffix))
            {
                string found = search.ByName.TryGetValue(tensor.Name[..^BnbKeys.ScbSuffix.Length] + Weight, out CheckpointTensor? weight)
                    ? $"is beside a weight of {weight.DType.Name()}, not I8"
                    : "has no weight beside it";
                search.Fatal("BNB0201", tensor.Name, found);
                search.Take(tensor.Name);
            }
            else if (Ends(tensor.Name, BnbKeys.WeightFormatSuffix))
            {
                search.Remark("BNB0202", tensor.Name, "there is no I8 weight that it describes");
                search.Take(tensor.Name);
            }
        }
    }

    private static void OfCodes(WeightSearch search, CheckpointTensor codes, Dictionary<string, byte[]> formats)
    {
        string module = codes.Name[..^Weight.Length];
        CheckpointTensor? scb = search.Find(BnbKeys.ScbFor(module));
        // Other libraries store I8 codes too; with a scale of theirs this is not a broken LLM.int8() weight.
        if (scb is null && search.ByName.ContainsKey($"{module}.{CompressedTensorsKeys.Scale}")) return;

        CheckpointTensor? format = search.Find(BnbKeys.WeightFormatFor(module));
        search.Take(codes.Name, BnbKeys.ScbFor(module), BnbKeys.WeightFormatFor(module));
        int problems = search.Problems.Count;
        if (codes.Shape.Rank != 2) search.Fatal("BNB0204", codes.Name, $"is I8 {codes.Shape}, a linear weight has 2 dimensions");
        if (scb is null)
        {
            search.Fatal("BNB0201", BnbKeys.ScbFor(module), "is missing beside an I8 weight");
        }
        else if (codes.Shape.Rank == 2 && (scb.DType != DType.F32 || scb.Shape.Rank != 1 || scb.Shape[0] != codes.Shape[0]))
        {
            search.Fatal("BNB0203", scb.Name, $"is {scb.DType.Name()} {scb.Shape}, expected F32 [{codes.Shape[0]}]");
        }

        if (format is not null) CheckFormat(search, format, formats);
        if (search.Problems.Count > problems) return;

        var weight = new Int8Weight(codes.Name, codes, scb!, format);
        search.Add(weight);
        if (weight.Parts.Any(part => !ReferenceEquals(part.File, codes.File)))
            search.Remark("BNB0206", codes.Name, "its SCB or weight_format lies in another file; some loaders do not find it");
    }

    private static void CheckFormat(WeightSearch search, CheckpointTensor format, Dictionary<string, byte[]> formats)
    {
        if (!formats.TryGetValue(format.Name, out byte[]? value))
            search.Fatal("BNB0205", format.Name, $"is {format.DType.Name()} {format.Shape}, expected one U8");
        else if (value[0] != 0)
            search.Fatal("BNB0205", format.Name, $"is {value[0]}, an old GPU's order of the codes; only 0, row by row, is read");
    }

    private static bool Ends(string name, string suffix) => name.EndsWith(suffix, StringComparison.Ordinal);
}
