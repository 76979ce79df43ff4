using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Verifying;

/// <summary>What there is to verify of a pipeline: its quantized components, each against the same one of the source.</summary>
internal static class PipelineVerification
{
    /// <summary>The request itself, or one for each component when both paths are pipelines.</summary>
    /// <exception cref="UserErrorException">No component is quantized, or an option is for one model.</exception>
    public static IReadOnlyList<(string? Component, VerifyRequest Request)> Of(VerifyRequest request)
    {
        if (!PipelineFolder.IsAt(request.QuantizedPath) || !PipelineFolder.IsAt(request.SourcePath)) return [(null, request)];
        UnfinishedOutput.Refuse(request.QuantizedPath);
        PipelineFolder pipeline = PipelineFolder.Open(request.QuantizedPath, followSymlinks: true, variant: null);
        List<string> names = [.. pipeline.Components.Where(static component => QuantizedSource.Find(component.Checkpoint) is not null).Select(static component => component.Name)];
        if (names.Count == 0)
        {
            throw new UserErrorException(ExitCode.InputUnsupported, "NOT-QUANTIZED", "no component of the pipeline is quantized in a form that is read")
            {
                File = pipeline.Folder,
                Facts = [("components", ItemList.Names([.. pipeline.Components.Select(static component => component.Name)]))],
                Action = "give the quantized pipeline first, and its source with --source",
            };
        }

        if (names.Count > 1 && request.BaselinePath is not null)
        {
            throw new UserErrorException(ExitCode.Usage, "USAGE", "--baseline is a report of one model, and this pipeline has several that are quantized")
            {
                Facts = [("components", ItemList.Names(names))],
                Action = "verify one component folder at a time",
            };
        }

        return
        [
            .. names.Select(name => ((string?)name, request with
            {
                QuantizedPath = Path.Combine(request.QuantizedPath, name),
                SourcePath = Path.Combine(request.SourcePath, name),
            })),
        ];
    }
}
