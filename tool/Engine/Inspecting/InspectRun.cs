using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Engine.Quantizing;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Inspecting;

/// <summary>Reads what is in a checkpoint, without its weights.</summary>
internal static class InspectRun
{
    /// <summary>The model at a path, or the components with weights of a pipeline. Opens them, and reads their headers.</summary>
    /// <param name="variant">Which weights are read, of a pipeline of the components that have it; null for the plain files.</param>
    /// <exception cref="UserErrorException">INCOMPLETE: the folder is one that a run is writing.</exception>
    public static IReadOnlyList<InspectedModel> ModelsIn(string path, string? variant)
    {
        UnfinishedOutput.Refuse(path);
        if (PipelineFolder.IsAt(path))
        {
            PipelineFolder pipeline = PipelineFolder.Open(path, followSymlinks: true, variant);
            // Opening one without components as a model says what is wrong.
            if (pipeline.Components.Count > 0)
                return [.. pipeline.Components.Select(component => new InspectedModel(component.Name, component.Checkpoint, ComponentChoice.IsUsual(component)))];
        }

        return [new InspectedModel(null, Checkpoint.Open(path, requireConfig: false, followSymlinks: true, variant), true)];
    }

    /// <summary>What is in one of them.</summary>
    public static InspectSummary Execute(InspectedModel model, IRunEvents events)
    {
        Checkpoint checkpoint = model.Checkpoint;
        foreach (string note in checkpoint.Notes) events.Warning(DisplayText.Escape(note));
        InspectSummary summary = InspectSummary.Of(checkpoint);
        foreach (WeightProblem problem in summary.Problems) events.Warning($"{problem.Rule}: {DisplayText.Escape(problem.Tensor)} {problem.Text}");
        return summary with { Component = model.Component, Manifest = ManifestOf(checkpoint.Folder, events) };
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
