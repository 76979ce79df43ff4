using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Engine.Quantizing;
using Bnb.Formats.Checkpoints;

namespace Bnb.Engine.Planning;

/// <summary>What is planned for: a model, or the components of a pipeline that are quantized beside those that are copied.</summary>
/// <param name="Folder">Of the model or the pipeline.</param>
/// <param name="Request">As given, of a pipeline with its components by name.</param>
/// <param name="Models">Plans without overrides of this run's own.</param>
/// <param name="Copied">Weights that the output has beside them.</param>
internal sealed record PlannedSource(string Folder, QuantizeRequest Request, IReadOnlyList<QuantizePlan> Models, IReadOnlyList<CopiedWeights> Copied)
{
    /// <summary>Opens and plans, as quantizing does.</summary>
    public static PlannedSource Of(QuantizeRequest request)
    {
        if (!PipelineFolder.IsAt(request.SourcePath))
        {
            QuantizePlan model = QuantizePlan.Make(request, RequestSource.Open(request));
            return new PlannedSource(model.Source.Folder, request, [model], []);
        }

        PipelinePlan pipeline = PipelinePlan.Make(request);
        return new PlannedSource(
            pipeline.Source.Folder,
            request with { Components = [.. pipeline.Components.Select(static model => model.Component!)] },
            pipeline.Components,
            [.. pipeline.Source.Components.Where(component => pipeline.CopiedComponents.Contains(component.Name)).Select(CopiedWeights.Of)]);
    }

    /// <summary>The tensors that have forms to choose from, each with its model.</summary>
    public IEnumerable<(QuantizePlan Model, TensorPlan Tensor)> Quantized() =>
        Models.SelectMany(static model => model.Tensors.Where(static tensor => tensor.Quantization is not null).Select(tensor => (model, tensor)));
}

/// <summary>Weights of a component that goes into the output as it is.</summary>
/// <param name="Component">Its name.</param>
/// <param name="FileBytes">Of its weight files, headers included.</param>
/// <param name="TensorBytes">Of its tensors.</param>
/// <param name="ParameterCount">Elements of its dense weights.</param>
internal sealed record CopiedWeights(string Component, long FileBytes, long TensorBytes, long ParameterCount)
{
    /// <summary>Reads headers and, of a quantized component, the small tensors that describe a weight.</summary>
    public static CopiedWeights Of(PipelineComponent component)
    {
        Checkpoint checkpoint = component.Checkpoint;
        QuantizedCheckpoint weights = DataTypeCatalog.Read(checkpoint);
        return new CopiedWeights(
            component.Name,
            checkpoint.Files.Sum(static file => file.Identity.Length),
            checkpoint.Tensors.Sum(static tensor => tensor.ByteCount),
            weights.Weights.Sum(static weight => weight.ValueCount) + weights.Plain.Concat(weights.Unread).Sum(static tensor => tensor.Shape.ElementCount));
    }
}
