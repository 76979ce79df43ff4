using System.Collections.Concurrent;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Manifests;

/// <summary>Reads every file of an output and compares it with the folder's manifest; needs no source.</summary>
internal static class ManifestCheck
{
    /// <exception cref="UserErrorException">MANIFEST: there is none (3), or it cannot be read (4).</exception>
    public static ManifestReport Execute(string folder, int threads, CancellationToken cancellation)
    {
        UnfinishedOutput.Refuse(folder);
        OutputManifest manifest = OutputManifest.Find(folder) ?? throw new UserErrorException(
            ExitCode.InputMissing, "MANIFEST", $"there is no {OutputManifest.FileName} in the folder")
        {
            File = folder,
            Action = OutputManifest.FindAround(folder) is not null
                ? $"it is in the folder above, with which it was made: dotnet bnb verify {Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)))} --manifest"
                : "give a folder that this tool made, or verify it against its source with --source",
        };
        var problems = new ConcurrentBag<ManifestProblem>();
        WorkQueue.Run(
            manifest.Files, Math.Max(1, Math.Min(threads, manifest.Files.Count)), () => 0,
            (file, _) =>
            {
                if (Problem(folder, file, cancellation) is { } problem) problems.Add(problem);
            },
            cancellation);
        HashSet<string> listed = [.. manifest.Files.Select(file => file.Name), OutputManifest.FileName];
        return new ManifestReport(
            folder, manifest,
            [.. problems.OrderBy(problem => problem.Name, StringComparer.Ordinal)],
            [.. FilesIn(folder).Where(name => !listed.Contains(name)).Order(StringComparer.Ordinal)]);
    }

    private static ManifestProblem? Problem(string folder, FileRecord expected, CancellationToken cancellation)
    {
        string path = Path.Combine(folder, expected.Name);
        if (!Path.Exists(path)) return new ManifestProblem(expected.Name, "missing", expected.Sha256, null);
        try
        {
            FileRecord found = expected.Sha256 is null ? FileRecord.ReadLength(path, expected.Name) : FileRecord.Read(path, expected.Name, cancellation);
            if (found == expected) return null;
            return found.Bytes != expected.Bytes
                ? new ManifestProblem(expected.Name, "length", DisplayText.Bytes(expected.Bytes), DisplayText.Bytes(found.Bytes))
                : new ManifestProblem(expected.Name, "sha256", expected.Sha256, found.Sha256);
        }
        catch (CheckpointFormatException unreadable)
        {
            return new ManifestProblem(expected.Name, "unreadable", expected.Sha256, unreadable.Summary);
        }
    }

    private static IEnumerable<string> FilesIn(string folder) => Directory
        .EnumerateFiles(folder, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint })
        .Select(path => Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/'));
}
