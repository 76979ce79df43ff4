using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Engine.Quantizing;

namespace Bnb.Tool.Tests.Output;

/// <summary>What SIGKILL leaves of a run whose weight files are finished and whose output is not: the staging folder as it is at that moment.</summary>
internal static class StagingSnapshot
{
    /// <summary>Runs, keeps the staging folder of the moment after the last weight file, and deletes the output.</summary>
    public static void Leave(QuantizeRequest request)
    {
        string staging = StagingNames.FolderFor(OutputPlace.Of(request.OutputPath!)), kept = staging + "-kept";
        _ = QuantizeRun.Execute(request, new Taken(staging, kept), CancellationToken.None);
        Directory.Delete(request.OutputPath!, recursive: true);
        Directory.Move(kept, staging);
    }

    /// <summary>The work is watched until its last weight file is durable.</summary>
    private sealed class Taken(string staging, string kept) : IRunEvents, IDisposable
    {
        public void Message(MessageLevel level, string text)
        {
        }

        public IDisposable? Watch(PipelineProgress progress) => this;

        public void Outcome(string text)
        {
        }

        public void Dispose() => OpenStaging.CopyTree(staging, kept);
    }
}
