using System.Collections.Concurrent;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Sharded;

namespace Bnb.Engine.Output;

/// <summary>
/// The last step of every output, whoever takes it: a run, the last of several workers, or <c>finish</c>. All it needs is in
/// the staging folder: the plan, the journals and the files.
/// </summary>
internal static class OutputCommit
{
    private const int NamesShown = 20;

    /// <summary>What has still to be made, by name.</summary>
    public static IReadOnlyList<string> Missing(StagingFolder staging, JournalFolder journals)
    {
        IEnumerable<string> shards = staging.Plan.Shards
            .Where(name => !journals.Shards.TryGetValue(name, out FileRecord? shard) || !shard.HasLengthAt(In(staging, name)));
        IEnumerable<string> small = staging.Plan.SmallFiles
            .Where(file => !file.HasLengthAt(In(staging, StagedName(staging.Plan, file.Name))) && !file.HasLengthAt(In(staging, file.Name))).Select(file => file.Name);
        IEnumerable<string> sources = staging.Plan.HashesSource
            ? staging.Plan.Sources.Where(file => !journals.Sources.ContainsKey(file.Name)).Select(file => $"SHA-256 of {file.Name}")
            : [];
        return [.. shards, .. small, .. sources];
    }

    /// <summary>Those of the named weight files whose content is not what its maker recorded, by name. Reads them whole.</summary>
    public static IReadOnlyList<string> Damaged(
        StagingFolder staging, JournalFolder journals, IReadOnlyList<string> names, int threads, CancellationToken cancellation)
    {
        return Damaged(staging.Path, [.. names.Select(name => journals.Shards[name])], threads, cancellation);
    }

    /// <summary>Those of some files of a folder whose content is not what was recorded, by name. Reads them whole.</summary>
    /// <param name="threads">Files read at a time.</param>
    public static IReadOnlyList<string> Damaged(string folder, IReadOnlyList<FileRecord> files, int threads, CancellationToken cancellation)
    {
        var damaged = new ConcurrentBag<string>();
        if (files.Count == 0) return [];
        WorkQueue.Run(
            files, Math.Clamp(threads, 1, files.Count), static () => 0,
            (file, _) =>
            {
                if (!file.IsAt(Path.Combine(folder, file.Name), cancellation)) damaged.Add(file.Name);
            },
            cancellation);
        return [.. damaged.Order(StringComparer.Ordinal)];
    }

    /// <summary>The error that names what is missing or damaged.</summary>
    public static UserErrorException Incomplete(StagingFolder staging, IReadOnlyList<string> missing) => new(
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

    /// <summary>Where a file waits for the commit: under its own name, but for the one by which loaders know a model.</summary>
    public static string StagedName(PlanRecord plan, string name) => name == plan.EntryName ? StagingNames.Config : name;

    /// <summary>Writes indexes and manifest, and last config.json or what stands for it, and gives the folder its name.</summary>
    public static void Run(StagingFolder staging, JournalFolder journals)
    {
        PlanRecord plan = staging.Plan;
        List<FileRecord> files = [.. plan.SmallFiles, .. plan.Shards.Select(name => journals.Shards[name])];
        foreach (string indexName in plan.Indexes)
        {
            staging.WriteFile(indexName, file => WriteIndex(staging, indexName, file));
            files.Add(FileRecord.Read(In(staging, indexName), indexName));
        }

        var manifest = new OutputManifest(
            plan.Tool, plan.Command, plan.Hash, plan.Options, plan.Sources,
            plan.HashesSource ? plan.Sources.ToDictionary(file => file.Name, file => journals.Sources[file.Name].Sha256!) : new Dictionary<string, string>(),
            [.. files.OrderBy(file => file.Name, StringComparer.Ordinal)]);
        staging.WriteFile(OutputManifest.FileName, manifest.Write());
        foreach (FileRecord file in plan.SmallFiles) CheckSmall(staging, file);
        if (plan.SmallFiles.Any(file => file.Name == plan.EntryName)) staging.WriteFile(plan.EntryName, File.ReadAllBytes(EntryIn(staging)));
        staging.Commit();
    }

    private static string In(StagingFolder staging, string name) => Path.Combine(staging.Path, name);

    /// <summary>A run that was killed during its commit may have left the file under its final name only.</summary>
    private static string EntryIn(StagingFolder staging) =>
        File.Exists(In(staging, StagingNames.Config)) ? In(staging, StagingNames.Config) : In(staging, staging.Plan.EntryName);

    private static void CheckSmall(StagingFolder staging, FileRecord file)
    {
        string path = file.Name == staging.Plan.EntryName ? EntryIn(staging) : In(staging, file.Name);
        if (file.IsAt(path)) return;
        throw new UserErrorException(ExitCode.CannotResume, "STAGING-CHANGED", $"{DisplayText.Escape(file.Name)} in the staging folder is not what was written there")
        {
            File = path,
            Action = "run the same command again: it is written anew",
        };
    }

    /// <summary>From the headers of the files themselves, so that whoever commits writes the same.</summary>
    private static void WriteIndex(StagingFolder staging, string indexName, Stream file)
    {
        string prefix = indexName[..(indexName.LastIndexOf('/') + 1)];
        string[] shards = [.. staging.Plan.Shards.Where(shard => shard[..(shard.LastIndexOf('/') + 1)] == prefix)];
        var parts = new ShardIndexBuilder[shards.Length];
        long[] bytes = new long[shards.Length];
        Pieces.Run(shards.Length, i =>
        {
            string name = shards[i][prefix.Length..];
            var part = parts[i] = new ShardIndexBuilder();
            int names = 0;
            bytes[i] = SafetensorsFile.ReadNames(In(staging, shards[i]), tensor =>
            {
                part.Add(tensor, name);
                names++;
            });
            return names;
        });
        var index = new ShardIndexBuilder();
        foreach (ShardIndexBuilder part in parts) index.Add(part);
        index.WriteTo(file, bytes.Sum());
    }
}
