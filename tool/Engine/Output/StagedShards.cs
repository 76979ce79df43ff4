using System.Collections.Concurrent;
using System.Collections.ObjectModel;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using static System.FormattableString;

namespace Bnb.Engine.Output;

/// <summary>Weight files that an earlier run finished: taken when they are what its journal says, made again when not.</summary>
internal static class StagedShards
{
    /// <summary>Reads every file that a journal names, whole, on several threads.</summary>
    /// <param name="wanted">Indexes of the plan's shards.</param>
    /// <returns>Those that are what they should be, by index.</returns>
    public static IReadOnlyDictionary<int, ShardResult> Check(
        StagingFolder staging, IReadOnlyList<ShardPlan> shards, IReadOnlyList<int> wanted, int threads, IRunEvents events, CancellationToken cancellation)
    {
        staging.DeleteUnhashed(WarnOfUnhashed(staging, [.. wanted.Select(index => shards[index].FileName)], events));
        List<int> named = [.. wanted.Where(index => staging.Earlier.Shards.ContainsKey(shards[index].FileName))];
        if (named.Count == 0) return ReadOnlyDictionary<int, ShardResult>.Empty;
        var good = new ConcurrentDictionary<int, ShardResult>();
        var bad = new ConcurrentBag<string>();
        WorkQueue.Run(
            named, Math.Min(threads, named.Count), () => 0,
            (index, _) =>
            {
                FileRecord record = staging.Earlier.Shards[shards[index].FileName];
                string path = Path.Combine(staging.Path, record.Name);
                if (record.IsAt(path, cancellation)) good[index] = ReadBack(path, shards[index], record);
                else bad.Add(record.Name);
            },
            cancellation);
        foreach (string name in bad.Order(StringComparer.Ordinal))
            events.Warning($"{DisplayText.Escape(name)} in the staging folder is not what the interrupted run wrote: it is made again");
        staging.Adopt([.. good.Values.Select(result => result.File!)]);
        return good;
    }

    /// <summary>Those of the named weight files that an earlier run finished without a hash: as good as not there, which is said.</summary>
    public static IReadOnlyList<string> WarnOfUnhashed(StagingFolder staging, IReadOnlyList<string> names, IRunEvents events)
    {
        List<string> unhashed = [.. names.Where(name => staging.Earlier.Unhashed.Contains(name) && !staging.Earlier.Shards.ContainsKey(name))];
        if (unhashed.Count > 0)
        {
            events.Warning(Invariant(
                $"{unhashed.Count} of the weight files in the staging folder were written with --no-checksums: nothing says whether they are sound, and none is used"));
        }

        return unhashed;
    }

    /// <summary>What the pipeline said when it made the file.</summary>
    public static ShardResult ReadBack(string path, ShardPlan shard, FileRecord? record)
    {
        SafetensorsHeader header = SafetensorsFile.ReadHeader(path);
        Dictionary<string, TensorInfo> tensors = header.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        return new ShardResult(
            new FileInfo(path).Length,
            header.Tensors.Sum(tensor => tensor.ByteCount),
            shard.Outputs.States(state => (int)tensors[state.Part.NameBeside(state.Plan.Name)].ByteCount),
            record);
    }
}
