using Bnb.Formats;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.IO;

namespace Bnb.Tool.Reports;

/// <summary>One weight of a checkpoint as a user thinks of it: a plain tensor, or a packed one with its companions.</summary>
/// <param name="State">Null for a plain tensor.</param>
/// <param name="ByteCount">With companions.</param>
/// <param name="ParameterCount">Elements of the dense weight.</param>
internal sealed record InspectedTensor(CheckpointTensor Tensor, BnbQuantState? State, long ByteCount, long ParameterCount)
{
    /// <summary>Shape of the dense weight.</summary>
    public string Shape => State is null ? Tensor.Shape.ToString() : $"[{string.Join(", ", State.Shape)}]";

    public string Format => State is null
        ? Tensor.DType.Name()
        : $"{State.QuantType} b{State.Blocksize}{(State.NestedOffset is null ? "" : " double")} {State.DType}";
}

/// <summary>A checkpoint's weights, read from headers and quant_state blobs only.</summary>
internal sealed record InspectSummary(Checkpoint Checkpoint, IReadOnlyList<InspectedTensor> Tensors)
{
    // A quant_state blob is some 200 bytes of JSON; one beyond this is not one.
    private const long LongestState = 1 << 16;

    // A storage dtype of 4 bytes rounds the packed tensor down to whole elements of 8 values.
    private const int MostCutOff = 7;

    public long ParameterCount => Tensors.Sum(tensor => tensor.ParameterCount);

    public long TensorBytes => Tensors.Sum(tensor => tensor.ByteCount);

    public double BitsPerParameter => ParameterCount == 0 ? 0 : TensorBytes * 8.0 / ParameterCount;

    /// <exception cref="CheckpointFormatException">A quant_state blob is malformed.</exception>
    public static InspectSummary Of(Checkpoint checkpoint)
    {
        var states = new Dictionary<string, BnbQuantState>(StringComparer.Ordinal);
        foreach (var file in checkpoint.Tensors.GroupBy(tensor => tensor.File))
        {
            var blobs = file.Where(tensor => tensor.Name.Contains(BnbKeys.QuantStatePrefix, StringComparison.Ordinal)).ToList();
            if (blobs.Count == 0) continue;
            using PositionedFile reader = PositionedFile.Open(file.Key.Path);
            foreach (CheckpointTensor blob in blobs)
            {
                if (blob.ByteCount > LongestState) continue;
                byte[] json = new byte[blob.ByteCount];
                reader.Read(blob.FileOffset, json);
                string weight = blob.Name[..blob.Name.IndexOf(BnbKeys.QuantStatePrefix, StringComparison.Ordinal)];
                states[weight] = BnbQuantState.Parse(json, file.Key.Name, blob.Name);
            }
        }

        var companionBytes = new Dictionary<string, long>(StringComparer.Ordinal);
        var plain = new List<CheckpointTensor>();
        foreach (CheckpointTensor tensor in checkpoint.Tensors)
        {
            string? owner = OwnerOf(tensor.Name, states);
            if (owner is null) plain.Add(tensor);
            else companionBytes[owner] = companionBytes.GetValueOrDefault(owner) + tensor.ByteCount;
        }

        return new InspectSummary(checkpoint, [.. plain.Select(tensor => Describe(tensor, states, companionBytes))]);
    }

    private static InspectedTensor Describe(
        CheckpointTensor tensor, Dictionary<string, BnbQuantState> states, Dictionary<string, long> companionBytes)
    {
        if (!states.TryGetValue(tensor.Name, out BnbQuantState? state))
            return new InspectedTensor(tensor, null, tensor.ByteCount, tensor.Shape.ElementCount);
        Int128 parameters = 1;
        foreach (long dimension in state.Shape)
        {
            // Bounded by the bytes that are there, so that no number from the blob can overflow a sum.
            parameters *= dimension;
            if (parameters > (2 * (Int128)tensor.ByteCount) + MostCutOff) throw TooManyValues(tensor, state);
        }

        return new InspectedTensor(tensor, state, tensor.ByteCount + companionBytes.GetValueOrDefault(tensor.Name), (long)parameters);
    }

    private static CheckpointFormatException TooManyValues(CheckpointTensor tensor, BnbQuantState state) => new(
        FormatError.QuantState,
        $"{tensor.File.Name}: the quant state of {DisplayText.Escape(tensor.Name)} names more values than are stored",
        tensor.File.Path,
        tensor.Name,
        [("shape", $"[{string.Join(", ", state.Shape)}]"), ("stored", $"{tensor.ByteCount * 2:N0} values")]);

    /// <summary>The quantized weight a companion belongs to, or null.</summary>
    private static string? OwnerOf(string name, Dictionary<string, BnbQuantState> states)
    {
        if (!BnbKeys.IsCompanion(name)) return null;
        for (int dot = name.LastIndexOf('.'); dot > 0; dot = name.LastIndexOf('.', dot - 1))
        {
            if (states.ContainsKey(name[..dot])) return name[..dot];
        }

        return null;
    }
}
