using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Output;

namespace Bnb.Engine.Finishing;

/// <summary>
/// Commits what workers made: for when the last of them could not. Reads no source; all it needs lies in the staging folder.
/// </summary>
internal static class FinishRun
{
    /// <summary>Checks every weight file against the journals, whole, and gives the output its name.</summary>
    /// <returns>The plan and whether there was anything to do.</returns>
    /// <exception cref="UserErrorException">UNFINISHED (15): something is missing or damaged; its facts name it.</exception>
    public static FinishSummary Execute(string outputPath, bool overwrite, int threads, IRunEvents events, CancellationToken cancellation)
    {
        OutputPlace place = OutputPlace.Of(outputPath);
        StagingFolder.FinishInterrupted(place);
        string folder = StagingNames.FolderFor(place);
        if (!JournalFolder.IsIn(folder)) return AlreadyThere(outputPath, place, folder);
        JournalFolder found = JournalFolder.Read(folder);
        if (StagingCheck.PlanIn(folder) is not { } plan || found.Begun is not [(_, string state, _), ..]) throw StagingErrors.OtherJournal(folder, found);
        using StagingFolder staging = StagingFolder.Open(place, plan, state, new WriteMode(overwrite), events);
        try
        {
            staging.Keep();
            JournalFolder journals = staging.Journals();
            _ = StagedShards.WarnOfUnhashed(staging, plan.Shards, events);
            IReadOnlyList<string> missing = OutputCommit.Missing(staging, journals);
            if (missing.Count == 0) missing = OutputCommit.Damaged(staging, journals, plan.Shards, threads, cancellation);
            if (missing.Count > 0) throw OutputCommit.Incomplete(staging, missing);
            OutputCommit.Run(staging, journals);
            return new FinishSummary(outputPath, plan, NothingToDo: false);
        }
        finally
        {
            events.Outcome(staging.Committed ? $"the output is complete: {place.Path}" : $"what is finished is kept in {staging.Path}");
        }
    }

    private static FinishSummary AlreadyThere(string outputPath, OutputPlace place, string folder)
    {
        if (OutputManifest.Find(place.Path) is { } manifest && manifest.Files.All(file => file.HasLengthAt(Path.Combine(place.Path, file.Name))))
            return new FinishSummary(outputPath, null, NothingToDo: true);
        throw new UserErrorException(ExitCode.CannotResume, "NO-STAGING", "there is nothing to finish: no worker has begun this output")
        {
            File = folder,
            Action = outputPath.TrimEnd('/').EndsWith(StagingNames.Suffix, StringComparison.Ordinal)
                ? $"give OUTPUT as it was given to the workers, without {StagingNames.Suffix}"
                : "give OUTPUT as it was given to the workers",
        };
    }
}
