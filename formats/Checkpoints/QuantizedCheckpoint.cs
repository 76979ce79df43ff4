using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.PackedWords;
using Bnb.Formats.Primitives;
using Bnb.Formats.ScaledFloats;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.Checkpoints;

/// <summary>
/// A checkpoint seen as weights: quantized ones of every layout that is read, with their parts, and plain tensors. Reads
/// headers, quant_state texts, weight_format and weight_shape only. Made by this tool or by anyone else.
/// </summary>
public sealed class QuantizedCheckpoint
{
    private QuantizedCheckpoint(Checkpoint source, WeightSearch search, IReadOnlyList<CheckpointTensor> unread)
    {
        Dictionary<string, int> order = new(StringComparer.Ordinal);
        foreach (CheckpointTensor tensor in source.Tensors) order.TryAdd(tensor.Name, order.Count);
        Source = source;
        Weights = [.. search.Weights.OrderBy(weight => order[weight.Stored.Name])];
        Plain = search.Remaining;
        Problems = search.Problems;
        Unread = unread;
    }

    /// <summary>The files behind it.</summary>
    public Checkpoint Source { get; }

    /// <summary>The weights that can be decoded, of all kinds, in the order of the tensors that hold their codes.</summary>
    public IReadOnlyList<QuantizedWeight> Weights { get; }

    /// <summary>All tensors that are no part of a quantized weight, broken or not, in the checkpoint's order.</summary>
    public IReadOnlyList<CheckpointTensor> Plain { get; }

    /// <summary>Codes and scales of formats that are not read, in the checkpoint's order: neither weights nor plain.</summary>
    public IReadOnlyList<CheckpointTensor> Unread { get; }

    /// <summary>Broken rules: of bitsandbytes 4-bit weights, of LLM.int8() ones, of INT4 ones, then of formats that are not
    /// read. A weight with a fatal one is not in <see cref="Weights"/>.</summary>
    public IReadOnlyList<WeightProblem> Problems { get; }

    /// <summary>Sorts out a checkpoint.</summary>
    /// <exception cref="CheckpointFormatException">BNB-STATE: a quant_state blob is malformed.</exception>
    /// <param name="source">The files.</param>
    /// <param name="recognizers">Layouts beside the built-in ones; each takes the tensors it knows and adds its weights.</param>
    public static QuantizedCheckpoint Read(Checkpoint source, params IEnumerable<Action<WeightSearch>> recognizers)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(recognizers);
        var search = new WeightSearch(source.Tensors, source.Config);
        foreach (Action<WeightSearch> recognize in recognizers) recognize(search);
        List<CheckpointTensor> named = [];
        NamedFormats.Report(search, named);
        // First those that are sure of what is theirs: they take I8 and scales that others would call strays.
        Fp8Weights.Recognize(search);
        Fp4Weights.Recognize(search);
        PackedWordWeights.Recognize(search);
        BnbWeights.Recognize(search);
        Int8Weights.Recognize(search);
        Int4Weights.Recognize(search);
        return new QuantizedCheckpoint(source, search, OtherFormats.Report(search, named));
    }

    /// <summary>Throws for the first weight that cannot be decoded; for commands that need all of them.</summary>
    /// <exception cref="CheckpointFormatException">BNB-STATE or CT-LAYOUT: the layout is broken. QUANT-UNSUP: tensors are
    /// quantized in a way that is not read.</exception>
    public void ThrowIfBroken() => Throw(Problems.Where(problem => problem.IsFatal).ToList());

    /// <summary>As <see cref="ThrowIfBroken"/>, but content with <see cref="Unread"/> tensors; for commands that show or
    /// compare what they cannot decode as it is stored.</summary>
    /// <exception cref="CheckpointFormatException">BNB-STATE or CT-LAYOUT: the layout is broken.</exception>
    public void ThrowIfMalformed() => Throw(Problems.Where(problem => problem.IsFatal && problem.Rule != OtherFormats.Rule).ToList());

    private void Throw(List<WeightProblem> fatal)
    {
        if (fatal.Count == 0) return;
        WeightProblem first = fatal[0];
        bool isOther = first.Rule == OtherFormats.Rule;
        throw new CheckpointFormatException(
            ErrorOf(first.Rule),
            $"{DisplayText.Escape(first.Tensor)} cannot be decoded: {first.Text}",
            Source.Folder,
            first.Tensor,
            [("rule", first.Rule), ("broken", $"{fatal.Count} rules in all")],
            isOther
                ? "start from the original weights"
                : "quantize the original weights again, or download this checkpoint again");
    }

    private static FormatError ErrorOf(string rule) => rule switch
    {
        OtherFormats.Rule => FormatError.OtherQuantization,
        ['C', 'T', ..] => FormatError.PackedLayout,
        ['B', 'N', 'B', ..] => FormatError.QuantState,
        _ => FormatError.SourceLayout,
    };
}
