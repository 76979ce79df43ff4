using System.Collections.Concurrent;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Verifying;

/// <summary>A weight file of either side, so that a report can be held against the files at hand later.</summary>
/// <param name="Name">Its place below the checkpoint's folder.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="HeaderSha256">SHA-256 of the header, as in <see cref="SourceRecord"/>.</param>
/// <param name="Sha256">SHA-256 of the content, null when it was not asked for.</param>
internal sealed record VerifiedFile(string Name, long Bytes, string HeaderSha256, string? Sha256)
{
    /// <summary>Those of a checkpoint, in its order. Contents are read once more for their hash.</summary>
    public static IReadOnlyList<VerifiedFile> Of(Checkpoint checkpoint, bool hashContents, int threads, CancellationToken cancellation)
    {
        var contents = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        if (hashContents)
        {
            WorkQueue.Run(
                checkpoint.Files, Math.Max(1, Math.Min(threads, checkpoint.Files.Count)), () => 0,
                (CheckpointFile file, int _) => contents[file.Name] = FileRecord.Read(file.Path, file.Name, cancellation).Sha256!,
                cancellation);
        }

        return [.. SourceRecord.Of(checkpoint).Select(
            file => new VerifiedFile(file.Name, file.Bytes, file.HeaderSha256, contents.GetValueOrDefault(file.Name)))];
    }
}
