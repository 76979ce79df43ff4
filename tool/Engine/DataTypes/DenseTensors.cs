using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// A source as the dense tensors that it stands for: those that it holds, and in place of the parts of each quantized weight
/// the weight itself, in the order of the files.
/// </summary>
internal static class DenseTensors
{
    /// <param name="source">Quantized or not.</param>
    /// <param name="isConv1D">Whoever quantized it recorded that it uses Conv1D.</param>
    /// <exception cref="CheckpointFormatException">A weight cannot be decoded.</exception>
    /// <exception cref="UserErrorException">The config names a quantization of which there is no trace.</exception>
    public static IReadOnlyList<TensorPlan> Of(Checkpoint source, bool isConv1D)
    {
        if (source.Config?.QuantMethod is null && QuantizedSource.Find(source) is null)
            return [.. source.Tensors.Select(Plain)];
        QuantizedCheckpoint packed = DataTypeCatalog.Read(source);
        packed.ThrowIfBroken();
        if (packed.Weights.Count == 0)
        {
            throw new UserErrorException(ExitCode.InputUnsupported, "CFG-QUANTIZED", "the source is already quantized")
            {
                File = source.ConfigPath ?? source.Folder,
                Facts =
                [
                    ("found", QuantizedSource.Find(source) ?? "a quantization_config"),
                    ("read", "none of its tensors as a weight of that kind"),
                ],
                Action = LeftoverConfig.Action(source) ?? "start from the original weights",
            };
        }

        var layout = WeightLayout.Of(
            source.Config,
            packed.Weights.Select(weight => weight.Name).Concat(packed.Plain.Where(tensor => tensor.Shape.Rank >= 2).Select(tensor => tensor.Name)),
            isRecorded: isConv1D);
        List<TensorPlan> tensors =
        [
            .. packed.Weights.Select(weight => new TensorPlan(weight.Stored, Undecided(weight.Stored), null)
            {
                Input = DataTypeCatalog.InputOf(weight, source.Config, layout.WasConv1D(weight)),
            }),
            .. CacheScales.Without(packed).Select(Plain),
        ];
        Dictionary<CheckpointTensor, int> order = new(ReferenceEqualityComparer.Instance);
        foreach (CheckpointTensor tensor in source.Tensors) order[tensor] = order.Count;
        List<TensorPlan> dense = [.. tensors.OrderBy(plan => order[plan.Source])];
        RefuseTwins(dense);
        return dense;
    }

    /// <summary>A tensor as it is stored, of which nothing is decided yet.</summary>
    public static TensorPlan Plain(CheckpointTensor tensor) => new(tensor, Undecided(tensor), null);

    /// <summary>The plan for a tensor that is not quantized: a weight in another form is decoded.</summary>
    public static TensorPlan Copied(TensorPlan tensor) => tensor.Input is DecodedInput input
        ? new TensorPlan(tensor.Source, tensor.Decision, null, new Dequantization(input.Weight, input.Type, input.IsConv1D) { Shapes = input.Shapes })
        : tensor;

    /// <summary>A weight that is there twice, plain and packed: two readers would see two models.</summary>
    private static void RefuseTwins(IReadOnlyList<TensorPlan> tensors)
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        if (tensors.FirstOrDefault(tensor => !names.Add(tensor.Name)) is not { } twin) return;
        throw new CheckpointFormatException(
            FormatError.SourceLayout,
            $"{DisplayText.Escape(twin.Name)} is there both plain and quantized",
            twin.Source.File.Path,
            twin.Name,
            action: "download this checkpoint again");
    }

    private static TensorDecision Undecided(CheckpointTensor tensor) => new(
        new PolicyTensor(tensor.Name, tensor.Shape.Dimensions, false, tensor.ByteCount), TensorAction.Copy, "", "", false, false);
}
