using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
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
    /// <summary>What has still to be made, by name.</summary>
    public static IReadOnlyList<string> Missing(StagingFolder staging, JournalFolder journals)
    {
        IEnumerable<string> shards = staging.Plan.Shards
            .Where(name => !journals.Shards.TryGetValue(name, out FileRecord? shard) || !shard.HasLengthAt(In(staging, name)));
        IEnumerable<string> small = staging.Plan.SmallFiles
            .Where(file => !file.HasLengthAt(In(staging, StagedName(file.Name))) && !file.HasLengthAt(In(staging, file.Name))).Select(file => file.Name);
        IEnumerable<string> sources = staging.Plan.HashesSource
            ? staging.Plan.Sources.Where(file => !journals.Sources.ContainsKey(file.Name)).Select(file => $"SHA-256 of {file.Name}")
            : [];
        return [.. shards, .. small, .. sources];
    }

    /// <summary>Where config.json waits for the commit.</summary>
    public static string StagedName(string name) => name == "config.json" ? StagingNames.Config : name;

    /// <summary>Writes index and manifest, and last config.json, and gives the folder its name.</summary>
    public static void Run(StagingFolder staging, JournalFolder journals)
    {
        PlanRecord plan = staging.Plan;
        List<FileRecord> files = [.. plan.SmallFiles, .. plan.Shards.Select(name => journals.Shards[name])];
        if (plan.IndexName is { } indexName)
        {
            staging.WriteFile(indexName, file => WriteIndex(staging, file));
            files.Add(FileRecord.Read(In(staging, indexName), indexName));
        }

        var manifest = new OutputManifest(
            plan.Tool, plan.Command, plan.Hash, plan.Options, plan.Sources,
            plan.HashesSource ? plan.Sources.ToDictionary(file => file.Name, file => journals.Sources[file.Name].Sha256) : new Dictionary<string, string>(),
            [.. files.OrderBy(file => file.Name, StringComparer.Ordinal)]);
        staging.WriteFile(OutputManifest.FileName, manifest.Write());
        foreach (FileRecord file in plan.SmallFiles) CheckSmall(staging, file);
        if (plan.SmallFiles.Any(file => file.Name == "config.json")) staging.WriteFile("config.json", File.ReadAllBytes(ConfigIn(staging)));
        staging.Commit();
    }

    private static string In(StagingFolder staging, string name) => Path.Combine(staging.Path, name);

    /// <summary>A run that was killed during its commit may have left config.json under its final name only.</summary>
    private static string ConfigIn(StagingFolder staging) =>
        File.Exists(In(staging, StagingNames.Config)) ? In(staging, StagingNames.Config) : In(staging, "config.json");

    private static void CheckSmall(StagingFolder staging, FileRecord file)
    {
        string path = file.Name == "config.json" ? ConfigIn(staging) : In(staging, file.Name);
        if (file.IsAt(path)) return;
        throw new UserErrorException(ExitCode.CannotResume, "STAGING-CHANGED", $"{DisplayText.Escape(file.Name)} in the staging folder is not what was written there")
        {
            File = path,
            Action = "run the same command again: it is written anew",
        };
    }

    /// <summary>From the headers of the files themselves, so that whoever commits writes the same.</summary>
    private static void WriteIndex(StagingFolder staging, Stream file)
    {
        var index = new ShardIndexBuilder();
        long bytes = 0;
        foreach (string shard in staging.Plan.Shards)
        {
            foreach (TensorInfo tensor in SafetensorsFile.ReadHeader(In(staging, shard)).Tensors)
            {
                index.Add(tensor.Name, shard);
                bytes += tensor.ByteCount;
            }
        }

        index.WriteTo(file, bytes);
    }
}
