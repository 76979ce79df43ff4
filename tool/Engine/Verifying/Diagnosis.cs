using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using static System.FormattableString;

namespace Bnb.Engine.Verifying;

/// <summary>
/// What a failure as a whole looks like: hundreds of findings with one cause are told as that cause. Adds nothing to the verdict,
/// the findings it is drawn from fail.
/// </summary>
internal static class Diagnosis
{
    /// <summary>True for such a remark: shown before everything else.</summary>
    public static bool Is(Finding finding) => finding.Rule == "diagnosis";

    /// <summary>The error for a QUANTIZED without quantized weights: the wrong way round, or not quantized yet.</summary>
    public static UserErrorException NotQuantized(VerifyRequest request, Checkpoint quantized, Checkpoint source)
    {
        bool swapped = DataTypeCatalog.Read(source).Weights.Count > 0;
        return new UserErrorException(
            ExitCode.InputUnsupported,
            "NOT-QUANTIZED",
            swapped
                ? "these look swapped: QUANTIZED has no quantized weight, --source has"
                : "there is no nf4, fp4, int8 or int4 weight to verify")
        {
            File = request.QuantizedPath,
            Action = swapped
                ? $"dotnet bnb verify {request.SourcePath} --source {request.QuantizedPath}"
                : LeftoverConfig.Action(quantized) ?? $"quantize it first: dotnet bnb quantize {request.QuantizedPath} --output DIR",
        };
    }

    /// <summary>A remark when the names and shapes of most weights are not the source's.</summary>
    /// <param name="weights">How many quantized weights there are.</param>
    /// <param name="matched">How many have a counterpart of their name and size.</param>
    public static IEnumerable<Finding> DifferentModel(int weights, int matched) => matched * 2 >= weights
        ? []
        : [new Finding("diagnosis", Invariant($"different model: {matched} of {weights} quantized weights have a counterpart of their name and size in the source"), Fails: false)];

    /// <summary>A remark when most layers fit and hold other values.</summary>
    public static IEnumerable<Finding> OtherWeights(IReadOnlyList<LayerResult> layers)
    {
        List<LayerResult> foreign = [.. layers.Where(layer => layer.Faithfulness.Cause == "wrong-source")];
        if (foreign.Count == 0 || foreign.Count <= layers.Count / 2) return [];
        return
        [
            new Finding(
                "diagnosis",
                Invariant($"same shapes, other weights: {foreign.Count} of {layers.Count} layers are not made from this source, the first differing layer is {DisplayText.Escape(foreign[0].Name)}; perhaps another revision, or a base model in place of its fine-tune"),
                Fails: false),
        ];
    }
}
