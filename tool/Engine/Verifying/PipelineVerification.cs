using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Policy;
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
        List<PipelineComponent> quantized = [.. pipeline.Quantized];
        if (quantized.Count == 0)
        {
            throw new UserErrorException(ExitCode.InputUnsupported, "NOT-QUANTIZED", "no component of the pipeline is quantized in a form that is read")
            {
                File = pipeline.Folder,
                Facts = [("components", ItemList.Names([.. pipeline.Components.Select(static component => component.Name)]))],
                Action = "give the quantized pipeline first, and its source with --source",
            };
        }

        List<(string Name, IReadOnlyList<PatternRule> Patterns)> chosen = Chosen(quantized, request.Patterns);
        if (chosen.Count > 1 && request.BaselinePath is not null)
        {
            throw new UserErrorException(ExitCode.Usage, "USAGE", "--baseline is a report of one model, and this pipeline has several that are quantized")
            {
                Facts = [("components", ItemList.Names([.. chosen.Select(static component => component.Name)]))],
                Action = "verify one component folder at a time",
            };
        }

        return
        [
            .. chosen.Select(component => ((string?)component.Name, request with
            {
                QuantizedPath = Path.Combine(request.QuantizedPath, component.Name),
                SourcePath = Path.Combine(request.SourcePath, component.Name),
                Patterns = component.Patterns,
                NamePrefix = component.Name + "/",
            })),
        ];
    }

    /// <summary>
    /// The components with layers to verify, each with the patterns that match one of them. A pattern that matches none of any goes to
    /// the first, which refuses it.
    /// </summary>
    private static List<(string Name, IReadOnlyList<PatternRule> Patterns)> Chosen(List<PipelineComponent> quantized, IReadOnlyList<PatternRule> patterns)
    {
        if (patterns.Count == 0) return [.. quantized.Select(component => (component.Name, patterns))];
        List<(string Name, bool[] Matches)> components =
        [
            .. quantized.Select(component =>
            {
                List<string> layers = [.. DataTypeCatalog.Read(component.Checkpoint).Weights.Select(static weight => weight.Name)];
                return (component.Name, (bool[])[.. patterns.Select(rule => layers.Exists(rule.Compile(component.Name + "/").IsMatchOfTensor))]);
            }),
        ];
        List<(string, IReadOnlyList<PatternRule>)> chosen = [];
        foreach ((string name, bool[] matches) in components)
        {
            List<PatternRule> own = [.. patterns.Where((_, i) => matches[i] || (name == components[0].Name && components.TrueForAll(other => !other.Matches[i])))];
            // With an --include first, nothing else is wanted.
            if (own.Count > 0 || !patterns[0].Include) chosen.Add((name, own));
        }

        return chosen;
    }
}
