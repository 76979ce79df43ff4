using System.Text.Json;
using Bnb.Engine.Architectures;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// A diffusers pipeline of which some components are quantized, each as a model of its own with its config.json, and the others
/// copied: one output, all or nothing.
/// </summary>
/// <param name="Components">Plans of those that are quantized, in the order of the index.</param>
internal sealed record PipelinePlan(PipelineFolder Source, IReadOnlyList<QuantizePlan> Components, QuantizeRequest Request)
    : OutputPlan([.. Components.SelectMany(static plan => plan.Tensors)], [.. Components.SelectMany(static plan => plan.Shards)])
{
    public override string Command => "quantize";

    public override bool HashesSource => Request.HashSource;

    public override string EntryName => PipelineFolder.IndexName;

    public override IReadOnlyList<OutputPart> Parts => [.. Components.SelectMany(static plan => plan.Parts)];

    public override SideFileList SideFiles => Source.FilesBeside(IsQuantized);

    public override byte[]? CardBytes => ModelCard.Of(Components, SideFiles, Source.Folder);

    /// <summary>Names of the components with weights that are copied.</summary>
    public IReadOnlyList<string> CopiedComponents => [.. Source.Components.Where(component => !IsQuantized(component)).Select(static component => component.Name)];

    /// <exception cref="CheckpointFormatException">A component breaks a rule of its format.</exception>
    /// <exception cref="PolicyException">The patterns contradict each other.</exception>
    /// <exception cref="UserErrorException">The pipeline cannot be quantized as asked.</exception>
    public static PipelinePlan Make(QuantizeRequest request)
    {
        if (request.AdapterPath is not null)
        {
            throw new UserErrorException(ExitCode.Usage, "USAGE", "--merge-lora needs one model, and this is a pipeline")
            {
                File = request.SourcePath,
                Action = "give the folder of the component that the adapter is for",
            };
        }

        PipelineFolder source = PipelineFolder.Open(request.SourcePath, request.FollowSymlinks, request.Variant);
        IReadOnlyList<PipelineComponent> chosen = ComponentChoice.Of(source, request.Components);
        foreach (PipelineComponent component in chosen) RefuseWithoutConfig(component);
        List<(QuantizeRequest Request, Checkpoint Checkpoint)> models = [.. chosen.Select(component => (RequestOf(component, request), component.Checkpoint))];
        foreach ((QuantizeRequest own, Checkpoint checkpoint) in models) RefuseUnread(own, checkpoint);
        var patterns = new PipelinePatterns(models);
        return new PipelinePlan(source, [.. models.Select(model => QuantizePlan.Make(patterns.Own(model.Request), model.Checkpoint).InItsFolder())], request);
    }

    public override void WriteOptions(Utf8JsonWriter json)
    {
        PlanOptions.Write(Request, string.Join(',', Components.Select(static plan => plan.ComputeDType).Distinct()), json);
        json.WriteStartArray("components");
        foreach (QuantizePlan plan in Components) json.WriteStringValue(plan.Component);
        json.WriteEndArray();
    }

    private bool IsQuantized(PipelineComponent component) => Components.Any(plan => plan.Component == component.Name);

    private static QuantizeRequest RequestOf(PipelineComponent component, QuantizeRequest request)
    {
        (IReadOnlyList<LoadTarget> targets, ExpertChoice? experts) = LoadTargets.OfComponent(component.Checkpoint, request.LoadsIn, request.Experts);
        return request with { SourcePath = component.Checkpoint.Folder, Component = component.Name, LoadsIn = targets, Experts = experts };
    }

    private static void RefuseWithoutConfig(PipelineComponent component)
    {
        if (component.Checkpoint.Config is not null) return;
        throw new CheckpointFormatException(
            FormatError.FileMissing,
            $"there is no config.json in {DisplayText.Escape(component.Name)}/, so nowhere to say how it is quantized",
            Path.Combine(component.Checkpoint.Folder, "config.json"),
            action: "download config.json into the same folder, or name other --components");
    }

    private static void RefuseUnread(QuantizeRequest request, Checkpoint checkpoint)
    {
        bool isUnread = request.Recipe.Target == PolicyTarget.CompressedTensors && checkpoint.Config?.IsDiffusers == true;
        if (!isUnread) return;
        throw new UserErrorException(ExitCode.InputUnsupported, "LOADS-IN", $"diffusers cannot load {DisplayText.Escape(request.Component!)} as {request.Recipe.Type}: it reads bitsandbytes types only")
        {
            File = checkpoint.Folder,
            Action = "use -t nf4 or -t int8, or name other --components",
        };
    }
}
