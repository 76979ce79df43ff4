using System.Text;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Text;
using Bnb.Formats.IO;

namespace Bnb.Engine.Output;

/// <summary>Refuses an output place before anything is created: the input itself, a file, a full disk.</summary>
internal static class OutputCheck
{
    private const int EntriesShown = 5;
    private const int LongestName = 255;

    /// <param name="sourcePath">Full path of the source folder or file.</param>
    /// <param name="inputFiles">Every file the run reads; links among them may lead anywhere.</param>
    /// <returns>False when a complete output of the same plan is there already.</returns>
    public static bool Run(OutputPlace place, string sourcePath, IEnumerable<string> inputFiles, WriteMode mode, OutputPlan plan, PlanRecord record)
    {
        string outputPath = place.Path;
        string parent = place.Parent
            ?? throw Refuse("OUTPUT-EXISTS", "the output cannot be the root folder", outputPath, "choose another --output");
        RefuseLongName(place);
        if (UnfinishedOutput.IsStaging(outputPath))
            throw Refuse("OUTPUT-NAME", "this is the staging folder of a run, or the name of one", outputPath, $"give --output as the run had it, without {StagingNames.Suffix}");
        RefuseOutputInInput(outputPath, sourcePath);
        RefuseInputInOutput(outputPath, [sourcePath, .. inputFiles]);
        StagingFolder.FinishInterrupted(place);
        // A worker that starts late finds what the others committed: --overwrite was not meant for that.
        if ((!mode.Overwrite || mode.Shared) && FinishedOutput.IsAt(place, plan, record)) return false;
        RefuseExisting(place, mode.Overwrite, record);
        // A file or a dangling link may stand in the place of the parent.
        bool canHold = Directory.Exists(parent) || (!Path.Exists(parent) && Directory.Exists(Path.GetDirectoryName(parent)));
        if (!canHold)
            throw Refuse("OUTPUT-PARENT", "the folder that would hold the output does not exist", parent, "create it, or choose another --output");
        RefuseFullDisk(place.SpaceFrom, plan.MaximumOutputBytes - StagedBytes(place, plan));
        return true;
    }

    private static void RefuseLongName(OutputPlace place)
    {
        int length = Encoding.UTF8.GetByteCount(Path.GetFileName(place.Path));
        if (length <= LongestName) return;
        throw new UserErrorException(ExitCode.OutputRefused, "OUTPUT-NAME", "the name of the output is longer than a file system takes")
        {
            File = place.Path,
            Facts = [("name", $"{length} bytes, at most {LongestName}")],
            Action = "choose a shorter --output",
        };
    }

    /// <summary>What an interrupted run left needs no room any more.</summary>
    private static long StagedBytes(OutputPlace place, OutputPlan plan)
    {
        string staging = StagingNames.FolderFor(place);
        return plan.Shards.Select(shard => new FileInfo(Path.Combine(staging, shard.FileName))).Where(file => file.Exists).Sum(file => file.Length);
    }

    private static void RefuseOutputInInput(string outputPath, string sourcePath)
    {
        // A file as source has a parent folder that may well hold the output too.
        if (!Directory.Exists(sourcePath)) return;
        FileIdentity source = FileIdentity.Of(sourcePath);
        string? existing = outputPath;
        while (existing is not null && !Directory.Exists(existing)) existing = Path.GetDirectoryName(existing);
        if (existing is not null && FoldersFrom(existing).Any(folder => Same(folder, source)))
            throw Refuse("OUTPUT-IS-INPUT", "the output is the input or lies inside it", outputPath, "choose another --output");
    }

    private static void RefuseInputInOutput(string outputPath, IEnumerable<string> inputs)
    {
        if (!Directory.Exists(outputPath)) return;
        FileIdentity output = FileIdentity.Of(outputPath);
        foreach (string folder in inputs.SelectMany(FoldersOf).Distinct(StringComparer.Ordinal))
        {
            if (FoldersFrom(folder).Any(above => Same(above, output)))
                throw Refuse("OUTPUT-IS-INPUT", "the input is the output or lies inside it", outputPath, "choose another --output");
        }
    }

    /// <summary>The folder an input is named in, and the one it really is in.</summary>
    private static IEnumerable<string> FoldersOf(string input)
    {
        if (Directory.Exists(input)) return [input];
        string? target = File.ResolveLinkTarget(input, returnFinalTarget: true)?.FullName;
        return target is null ? [Path.GetDirectoryName(input)!] : [Path.GetDirectoryName(input)!, Path.GetDirectoryName(target)!];
    }

    /// <summary>
    /// A folder and all above it as the file system has them: ".." is left to the kernel, because after a link the text of
    /// a path says nothing about where it is. Device and inode see through links, bind mounts and case.
    /// </summary>
    private static IEnumerable<FileIdentity> FoldersFrom(string folder)
    {
        FileIdentity below = default;
        while (true)
        {
            FileIdentity here = FileIdentity.Of(folder);
            if (Same(here, below)) yield break;
            yield return here;
            below = here;
            folder += "/..";
        }
    }

    private static bool Same(FileIdentity a, FileIdentity b) => a.Device == b.Device && a.Inode == b.Inode;

    private static void RefuseExisting(OutputPlace place, bool overwrite, PlanRecord record)
    {
        var info = new FileInfo(place.Path);
        if (info.LinkTarget is not null)
            throw Refuse("OUTPUT-EXISTS", "the output is a symbolic link", place.Path, "name the folder it points to, or choose another --output");
        if (info.Exists)
            throw Refuse("OUTPUT-EXISTS", FileIdentity.KindAt(place.Path) is { } kind and not "a regular file" ? $"the output is {kind}" : "the output is an existing file", place.Path, "choose another --output");
        if (!Directory.Exists(place.Path)) return;

        List<string> entries = [.. place.Entries().Order(StringComparer.Ordinal).Take(EntriesShown + 1)];
        if (entries.Count == 0) return;
        if (overwrite && !place.IsMountPoint)
        {
            if (IsOurs(place.Path)) return;
            throw Refuse(
                "OUTPUT-EXISTS", $"the output folder exists and was not made by this tool (it has no {OutputManifest.FileName}): --overwrite would delete something else",
                place.Path, "choose another --output, or remove the folder yourself");
        }

        throw new UserErrorException(ExitCode.OutputRefused, "OUTPUT-EXISTS", FinishedOutput.IsUnhashedAt(place, record)
            ? "the output is there already, but was made with --no-checksums: whether its weight files are sound cannot be told"
            : "the output folder exists and is not empty")
        {
            File = place.Path,
            Facts = [("holds", string.Join(", ", entries.Take(EntriesShown)) + (entries.Count > EntriesShown ? ", ..." : ""))],
            Action = place.IsMountPoint
                ? "it is a mount point and cannot be replaced as a whole: empty it, or name a folder inside it"
                : "choose another --output, or use --overwrite to replace it",
        };
    }

    /// <summary>--overwrite replaces an earlier result, never somebody's home folder or the only copy of a model.</summary>
    private static bool IsOurs(string folder) =>
        SmallFile.TryRead(Path.Combine(folder, OutputManifest.FileName)) is { } text && OutputManifest.Parse(text) is not null;

    private static void RefuseFullDisk(string folder, long bytesNeeded)
    {
        long free = new DriveInfo(folder).AvailableFreeSpace;
        if (free >= bytesNeeded) return;
        throw new UserErrorException(ExitCode.NoSpace, "NOSPACE", "not enough free space for the output")
        {
            File = folder,
            Facts = [("need", ByteSize.Exact(bytesNeeded) + " bytes"), ("free", ByteSize.Exact(free) + " bytes")],
            Action = "free space, or choose another --output",
        };
    }

    private static UserErrorException Refuse(string code, string summary, string path, string action) =>
        new(ExitCode.OutputRefused, code, summary) { File = path, Action = action };
}
