using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.BitsAndBytes;

/// <summary>Recognizes 4-bit weights by their quant_state texts, and companions that have none.</summary>
internal static class BnbWeights
{
    /// <exception cref="CheckpointFormatException">BNB-STATE: a quant_state blob is malformed.</exception>
    public static void Recognize(WeightSearch search)
    {
        Dictionary<string, (BnbQuantState State, CheckpointTensor Blob)> states = ReadStates(search);
        foreach (CheckpointTensor tensor in search.Tensors)
        {
            if (!states.TryGetValue(tensor.Name, out var state)) continue;
            if (new BnbWeightParts(tensor.Name, state.State, state.Blob, search).Assemble() is { } weight) search.Add(weight);
            search.Take(BnbWeightParts.NamesOf(tensor.Name));
        }

        foreach (string owner in states.Keys.Where(name => !search.ByName.ContainsKey(name)).Order(StringComparer.Ordinal))
        {
            search.Fatal("BNB0101", owner, "there is a quant_state but no weight of this name");
            search.Take(BnbWeightParts.NamesOf(owner));
        }

        search.Take(search.Tensors.Where(IsState).Select(tensor => tensor.Name));
        ReportStrays(search, states);
    }

    private static Dictionary<string, (BnbQuantState State, CheckpointTensor Blob)> ReadStates(WeightSearch search)
    {
        var states = new Dictionary<string, (BnbQuantState State, CheckpointTensor Blob)>(StringComparer.Ordinal);
        List<CheckpointTensor> blobs = [.. search.Tensors.Where(IsState)];
        foreach (CheckpointTensor blob in blobs.Where(blob => !IsShortText(blob)))
            search.Fatal("BNB0103", blob.Name, $"a quant_state is short U8 text, this is {blob.DType.Name()} {blob.Shape}");
        // One text at a time: all of them together may be as large as the file.
        foreach ((CheckpointTensor blob, byte[] json) in WeightSearch.Contents(blobs.Where(IsShortText)))
        {
            (string weight, string suffix) = Split(blob.Name);
            BnbQuantState state = BnbQuantState.Parse(json, blob.File.Path, blob.Name);
            if (state.QuantType != suffix)
                search.Remark("BNB0104", blob.Name, $"the name says {DisplayText.Escape(suffix)}, the text says {state.QuantType}");
            if (!states.TryAdd(weight, (state, blob))) search.Fatal("BNB0103", weight, "there are two quant_states for one weight");
        }

        return states;
    }

    /// <summary>Companions that belong to no weight: loaders refuse them or, worse, ignore them.</summary>
    private static void ReportStrays(WeightSearch search, Dictionary<string, (BnbQuantState State, CheckpointTensor Blob)> states)
    {
        foreach (CheckpointTensor tensor in search.Remaining)
        {
            int dot = tensor.Name.LastIndexOf('.');
            if (dot > 0 && states.ContainsKey(tensor.Name[..dot]))
                search.Remark("BNB0102", tensor.Name, "bitsandbytes refuses a weight with a companion it does not know");
        }
    }

    private static bool IsState(CheckpointTensor tensor) => tensor.Name.Contains(BnbKeys.QuantStatePrefix, StringComparison.Ordinal);

    private static bool IsShortText(CheckpointTensor blob) => blob.DType == DType.U8 && blob.ByteCount <= FormatLimits.QuantStateBytes;

    private static (string Weight, string Suffix) Split(string name)
    {
        int at = name.IndexOf(BnbKeys.QuantStatePrefix, StringComparison.Ordinal);
        return (name[..at], name[(at + BnbKeys.QuantStatePrefix.Length)..]);
    }
}
