using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Output;

/// <summary>An output that a run of the same plan has already made.</summary>
internal static class FinishedOutput
{
    /// <summary>
    /// By its manifest, the length of every file, and the times of the source: a plan knows headers only, so weights that
    /// were written after the output may be others. Contents are for <see cref="ThrowIfDamaged"/>.
    /// </summary>
    public static bool IsAt(OutputPlace place, OutputPlan plan, PlanRecord record)
    {
        if (ManifestAt(place, record) is not { HasChecksums: true } manifest) return false;
        string path = Path.Combine(place.Path, OutputManifest.FileName);
        if (!manifest.Files.All(file => file.HasLengthAt(Path.Combine(place.Path, file.Name)))) return false;
        long written = FileIdentity.Of(path).ModifiedNs;
        return plan.SourceFiles.All(source => Math.Max(source.File.Identity.ModifiedNs, source.File.Identity.ChangedNs) <= written);
    }

    /// <summary>Whether what is there is of the same plan, but made without checksums: nobody could tell later whether it is sound.</summary>
    public static bool IsUnhashedAt(OutputPlace place, PlanRecord record) => ManifestAt(place, record) is { HasChecksums: false };

    /// <summary>Reads every file of a finished output once: "nothing to do" is said of what its manifest says, not of what became of it.</summary>
    /// <param name="threads">Files read at a time.</param>
    /// <exception cref="UserErrorException">OUTPUT-EXISTS: files are not what the manifest says.</exception>
    public static void ThrowIfDamaged(OutputPlace place, int threads, CancellationToken cancellation)
    {
        if (OutputManifest.Find(place.Path) is not { } manifest) return;
        IReadOnlyList<string> damaged = OutputCommit.Damaged(place.Path, manifest.Files, threads, cancellation);
        if (damaged.Count == 0) return;
        throw new UserErrorException(ExitCode.OutputRefused, "OUTPUT-EXISTS", "the output exists and was made by the same plan, but is not what its manifest says any more")
        {
            File = place.Path,
            Facts = ItemList.Of([.. damaged.Select(static name => ("differs", DisplayText.Escape(name)))]),
            Action = "use --overwrite to make it again",
        };
    }

    /// <summary>What the run that made it said of these files.</summary>
    public static OutputResult Result(OutputPlace place, IReadOnlyList<ShardPlan> shards)
    {
        IReadOnlyList<ShardResult> results = [.. shards.Select(shard => StagedShards.ReadBack(Path.Combine(place.Path, shard.FileName), shard, null))];
        return new OutputResult(results, results.Count, OutputState.NothingToDo);
    }

    private static OutputManifest? ManifestAt(OutputPlace place, PlanRecord record) =>
        SmallFile.TryRead(Path.Combine(place.Path, OutputManifest.FileName)) is { } text && OutputManifest.Parse(text) is { } manifest && manifest.Plan == record.Hash
            ? manifest : null;
}
