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
    /// <exception cref="UserErrorException">INCOMPLETE: the folder is one that a run is writing.</exception>
    public static InspectSummary Execute(string path, IRunEvents events)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        if (name.EndsWith(StagingNames.Suffix, StringComparison.Ordinal))
        {
            throw new UserErrorException(ExitCode.InputMalformed, "INCOMPLETE", "this is the staging folder of a run that is in progress or was interrupted")
            {
                File = path,
                Action = "wait for the run, or run it again",
            };
        }

        Checkpoint checkpoint = Checkpoint.Open(path, requireConfig: false, followSymlinks: true);
        foreach (string note in checkpoint.Notes) events.Warning(DisplayText.Escape(note));
        InspectSummary summary = InspectSummary.Of(checkpoint);
        foreach (WeightProblem problem in summary.Problems) events.Warning($"{problem.Rule}: {DisplayText.Escape(problem.Tensor)} {problem.Text}");
        return summary;
    }
}
