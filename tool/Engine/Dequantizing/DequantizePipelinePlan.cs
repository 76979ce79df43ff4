using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Dequantizing;

/// <summary>
/// A diffusers pipeline whose quantized components become plain, each as a model of its own, and the others are copied: one output,
/// all or nothing.
/// </summary>
/// <param name="Components">Plans of those that were quantized, in the order of the index.</param>
internal sealed record DequantizePipelinePlan(PipelineFolder Source, IReadOnlyList<DequantizePlan> Components, DequantizeRequest Request)
    : OutputPlan([.. Components.SelectMany(static plan => plan.Tensors)], [.. Components.SelectMany(static plan => plan.Shards)])
{
    public override string Command => "dequantize";

    public override string EntryName => PipelineFolder.IndexName;

    public override IReadOnlyList<OutputPart> Parts => [.. Components.SelectMany(static plan => plan.Parts)];

    public override SideFileList SideFiles => Source.FilesBeside(component => Components.Any(plan => plan.Component == component.Name));

    /// <exception cref="CheckpointFormatException">A component breaks a rule of its format.</exception>
    /// <exception cref="UserErrorException">NOT-QUANTIZED: no component is, or one in a form that is not read.</exception>
    public static DequantizePipelinePlan Make(DequantizeRequest request)
    {
        PipelineFolder source = PipelineFolder.Open(request.SourcePath, request.FollowSymlinks, variant: null);
        List<DequantizePlan> plans = [.. source.Quantized.Select(component => DequantizePlan.Make(request, component.Checkpoint).As(component.Name))];
        if (plans.Count > 0) return new DequantizePipelinePlan(source, plans, request);
        throw new UserErrorException(ExitCode.InputUnsupported, "NOT-QUANTIZED", "no component of the pipeline is quantized: there is nothing to turn back")
        {
            File = source.Folder,
            Facts = [("components", ItemList.Names([.. source.Components.Select(static component => component.Name)]))],
            Action = "use it as it is",
        };
    }

    public override void WriteOptions(Utf8JsonWriter json)
    {
        DequantizePlan.WriteOptions(Request, json);
        json.WriteStartArray("components");
        foreach (DequantizePlan plan in Components) json.WriteStringValue(plan.Component);
        json.WriteEndArray();
    }
}
