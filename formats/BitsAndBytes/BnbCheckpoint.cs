using Bnb.Formats.IO;

namespace Bnb.Formats.BitsAndBytes;

/// <summary>
/// A checkpoint seen as weights: 4-bit ones with their companions, and plain tensors. Reads headers and quant_state blobs
/// only. Made by this tool or by anyone else.
/// </summary>
public sealed class BnbCheckpoint
{
    private BnbCheckpoint(
        Checkpoint source, IReadOnlyList<BnbWeight> weights, IReadOnlyList<CheckpointTensor> plain, IReadOnlyList<BnbProblem> problems)
    {
        (Source, Weights, Plain, Problems) = (source, weights, plain, problems);
    }

    /// <summary>The files behind it.</summary>
    public Checkpoint Source { get; }

    /// <summary>The 4-bit weights that can be decoded, in the order of their packed tensors.</summary>
    public IReadOnlyList<BnbWeight> Weights { get; }

    /// <summary>All tensors that are neither a 4-bit weight nor a companion of one, in the checkpoint's order.</summary>
    public IReadOnlyList<CheckpointTensor> Plain { get; }

    /// <summary>Broken rules, in the checkpoint's order; a weight with a fatal one is not in <see cref="Weights"/>.</summary>
    public IReadOnlyList<BnbProblem> Problems { get; }

    /// <summary>Sorts out a checkpoint.</summary>
    /// <exception cref="CheckpointFormatException">BNB-STATE: a quant_state blob is malformed.</exception>
    public static BnbCheckpoint Read(Checkpoint source)
    {
        ArgumentNullException.ThrowIfNull(source);
        var byName = new Dictionary<string, CheckpointTensor>(StringComparer.Ordinal);
        foreach (CheckpointTensor tensor in source.Tensors) byName.TryAdd(tensor.Name, tensor);

        var problems = new List<BnbProblem>();
        Dictionary<string, (BnbQuantState State, CheckpointTensor Blob)> states = ReadStates(source, problems);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        var weights = new List<BnbWeight>();
        foreach (CheckpointTensor tensor in source.Tensors)
        {
            if (!states.TryGetValue(tensor.Name, out var state)) continue;
            var parts = new BnbWeightParts(tensor.Name, state.State, state.Blob, byName, problems);
            if (parts.Assemble() is { } weight) weights.Add(weight);
            taken.UnionWith(BnbWeightParts.NamesOf(tensor.Name));
        }

        foreach (string owner in states.Keys.Where(name => !byName.ContainsKey(name)).Order(StringComparer.Ordinal))
        {
            problems.Add(new BnbProblem("BNB0101", owner, "there is a quant_state but no weight of this name", IsFatal: true));
            taken.UnionWith(BnbWeightParts.NamesOf(owner));
        }

        ReportStrays(source, states, taken, problems);
        return new BnbCheckpoint(source, weights, [.. source.Tensors.Where(tensor => !IsPart(tensor.Name, states, taken))], problems);
    }

    /// <summary>Throws for the first weight that cannot be decoded; for commands that need all of them.</summary>
    /// <exception cref="CheckpointFormatException">BNB-STATE: the layout is broken.</exception>
    public void ThrowIfBroken()
    {
        if (Problems.FirstOrDefault(problem => problem.IsFatal) is not { } first) return;
        throw new CheckpointFormatException(
            FormatError.QuantState,
            $"{DisplayText.Escape(first.Tensor)} cannot be decoded: {first.Text}",
            Source.Folder,
            first.Tensor,
            [("rule", first.Rule), ("broken", $"{Problems.Count(problem => problem.IsFatal)} rules in all")],
            "quantize the original weights again, or download this checkpoint again");
    }

    private static Dictionary<string, (BnbQuantState State, CheckpointTensor Blob)> ReadStates(Checkpoint source, List<BnbProblem> problems)
    {
        var states = new Dictionary<string, (BnbQuantState State, CheckpointTensor Blob)>(StringComparer.Ordinal);
        foreach (var file in source.Tensors.Where(IsState).GroupBy(tensor => tensor.File, ReferenceEqualityComparer.Instance))
        {
            using PositionedFile reader = PositionedFile.Open(file.First().File.Path);
            foreach (CheckpointTensor blob in file)
            {
                (string weight, string suffix) = Split(blob.Name);
                if (blob.DType != DType.U8 || blob.ByteCount > FormatLimits.QuantStateBytes)
                {
                    problems.Add(new BnbProblem("BNB0103", blob.Name, $"a quant_state is short U8 text, this is {blob.DType.Name()} {blob.Shape}", true));
                    continue;
                }

                byte[] json = new byte[blob.ByteCount];
                reader.Read(blob.FileOffset, json);
                BnbQuantState state = BnbQuantState.Parse(json, blob.File.Path, blob.Name);
                if (state.QuantType != suffix)
                    problems.Add(new BnbProblem("BNB0104", blob.Name, $"the name says {DisplayText.Escape(suffix)}, the text says {state.QuantType}", false));
                if (!states.TryAdd(weight, (state, blob)))
                    problems.Add(new BnbProblem("BNB0103", weight, "there are two quant_states for one weight", true));
            }
        }

        return states;
    }

    /// <summary>Companions that belong to no weight: loaders refuse them or, worse, ignore them.</summary>
    private static void ReportStrays(
        Checkpoint source, Dictionary<string, (BnbQuantState State, CheckpointTensor Blob)> states, HashSet<string> taken, List<BnbProblem> problems)
    {
        foreach (CheckpointTensor tensor in source.Tensors)
        {
            if (taken.Contains(tensor.Name) || IsState(tensor)) continue;
            int dot = tensor.Name.LastIndexOf('.');
            if (dot > 0 && states.ContainsKey(tensor.Name[..dot]))
                problems.Add(new BnbProblem("BNB0102", tensor.Name, "bitsandbytes refuses a weight with a companion it does not know", false));
        }
    }

    private static bool IsPart(string name, Dictionary<string, (BnbQuantState State, CheckpointTensor Blob)> states, HashSet<string> taken) =>
        taken.Contains(name) || states.ContainsKey(name) || name.Contains(BnbKeys.QuantStatePrefix, StringComparison.Ordinal);

    private static bool IsState(CheckpointTensor tensor) => tensor.Name.Contains(BnbKeys.QuantStatePrefix, StringComparison.Ordinal);

    private static (string Weight, string Suffix) Split(string name)
    {
        int at = name.IndexOf(BnbKeys.QuantStatePrefix, StringComparison.Ordinal);
        return (name[..at], name[(at + BnbKeys.QuantStatePrefix.Length)..]);
    }
}
