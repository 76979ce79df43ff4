using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Inspecting;

/// <summary>Reads what is in a checkpoint, without its weights.</summary>
internal static class InspectRun
{
    /// <summary>The folders to inspect: the path itself, or the components with weights of a pipeline.</summary>
    public static IReadOnlyList<string> ModelsIn(string path)
    {
        if (!PipelineFolder.IsAt(path)) return [path];
        UnfinishedOutput.Refuse(path);
        string[] components = [.. PipelineFolder.Open(path, followSymlinks: true, variant: null).Components.Select(component => Path.Combine(path, component.Name))];
        // Opening it as a model says what is wrong.
        return components.Length == 0 ? [path] : components;
    }

    /// <exception cref="UserErrorException">INCOMPLETE: the folder is one that a run is writing.</exception>
    public static InspectSummary Execute(string path, IRunEvents events)
    {
        UnfinishedOutput.Refuse(path);
        Checkpoint checkpoint = Checkpoint.Open(path, requireConfig: false, followSymlinks: true);
        foreach (string note in checkpoint.Notes) events.Warning(DisplayText.Escape(note));
        InspectSummary summary = InspectSummary.Of(checkpoint);
        foreach (WeightProblem problem in summary.Problems) events.Warning($"{problem.Rule}: {DisplayText.Escape(problem.Tensor)} {problem.Text}");
        return summary with { Manifest = ManifestOf(path, events) };
    }

    private static OutputManifest? ManifestOf(string path, IRunEvents events)
    {
        try
        {
            return Directory.Exists(path) ? OutputManifest.FindAround(path) : null;
        }
        catch (UserErrorException unreadable)
        {
            events.Warning(unreadable.Summary);
            return null;
        }
    }
}
