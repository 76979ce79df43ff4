using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Finishing;

/// <summary>
/// Commits what workers made: for when the last of them could not. Reads no source; all it needs lies in the staging folder.
/// </summary>
internal static class FinishRun
{
    private const int NamesShown = 20;

    /// <summary>Checks every weight file against the journals, whole, and gives the output its name.</summary>
    /// <returns>The plan and whether there was anything to do.</returns>
    /// <exception cref="UserErrorException">INCOMPLETE (15): something is missing or damaged; its facts name it.</exception>
    public static FinishSummary Execute(string outputPath, bool overwrite, int threads, IRunEvents events, CancellationToken cancellation)
    {
        OutputPlace place = OutputPlace.Of(outputPath);
        StagingFolder.FinishInterrupted(place);
        string folder = StagingNames.FolderFor(place);
        if (!JournalFolder.IsIn(folder)) return AlreadyThere(outputPath, place, folder);
        if (StagingCheck.PlanIn(folder) is not { } plan || JournalFolder.Read(folder).Begun is not [(_, string state, _), ..]) throw StagingErrors.OtherJournal(folder);
        using StagingFolder staging = StagingFolder.Open(place, plan, state, new WriteMode(overwrite), events);
        try
        {
            staging.Keep();
            JournalFolder journals = staging.Journals();
            IReadOnlyList<string> missing = OutputCommit.Missing(staging, journals);
            if (missing.Count == 0) missing = Damaged(staging, journals, threads, cancellation);
            if (missing.Count > 0) throw Incomplete(staging, missing);
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
            Action = "give OUTPUT as it was given to the workers",
        };
    }

    private static IReadOnlyList<string> Damaged(StagingFolder staging, JournalFolder journals, int threads, CancellationToken cancellation)
    {
        var damaged = new System.Collections.Concurrent.ConcurrentBag<string>();
        WorkQueue.Run(
            staging.Plan.Shards, Math.Min(threads, staging.Plan.Shards.Count), () => 0,
            (name, _) =>
            {
                if (!journals.Shards[name].IsAt(Path.Combine(staging.Path, name), cancellation)) damaged.Add(name);
            },
            cancellation);
        return [.. damaged.Order(StringComparer.Ordinal)];
    }

    private static UserErrorException Incomplete(StagingFolder staging, IReadOnlyList<string> missing) => new(
        ExitCode.CannotResume, "UNFINISHED", $"{missing.Count} of the files of the output are missing or damaged")
    {
        File = staging.Path,
        Facts =
        [
            .. missing.Take(NamesShown).Select(name => ("missing", DisplayText.Escape(name))),
            .. missing.Count > NamesShown ? [("missing", $"... and {missing.Count - NamesShown} more")] : ((string, string)[])[],
        ],
        Action = "run the workers again: each makes only what is missing",
    };
}
