using System.Text;
using Bnb.Engine.Errors;
using Bnb.Formats.IO;
using Microsoft.Win32.SafeHandles;

namespace Bnb.Engine.Output;

/// <summary>
/// The folder in which an output is built, beside its final place, so that one rename makes all of it visible. It is
/// locked while in use and carries a journal: a staging folder with our journal and no lock is the leftover of a killed
/// run and may be removed; one without is not ours and is never touched.
/// </summary>
internal sealed class StagingFolder : IDisposable
{
    /// <summary>Suffix of a staging folder; inspecting one says that the run is not finished.</summary>
    public const string Suffix = ".bnb-partial";

    private const int LongestName = 255;
    private const int NameExists = 17;

    private readonly OutputPlace _place;
    private readonly bool _overwrite;
    private readonly bool _madeParent;
    private SafeFileHandle? _lock;

    private StagingFolder(OutputPlace place, string path, bool overwrite, SafeFileHandle folderLock, bool madeParent)
    {
        (_place, Path, _overwrite, _lock, _madeParent) = (place, path, overwrite, folderLock, madeParent);
    }

    public string Path { get; }

    /// <summary>True from the moment the output has its final name; what fails after that only fails to clean up.</summary>
    public bool Committed { get; private set; }

    /// <summary>
    /// Where the staging folder of an output lies: on the same device, and short even when the output's own name is not.
    /// </summary>
    public static string PathFor(OutputPlace place)
    {
        if (place.IsMountPoint) return System.IO.Path.Combine(place.Path, Suffix);
        string parent = place.Parent!;
        string name = System.IO.Path.GetFileName(place.Path) + Suffix;
        if (Encoding.UTF8.GetByteCount(name) > LongestName)
            name = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..16] + Suffix;
        return System.IO.Path.Combine(parent, name);
    }

    /// <summary>Creates and locks the staging folder, first removing what a killed run of ours left there.</summary>
    public static StagingFolder Create(OutputPlace place, bool overwrite)
    {
        string path = PathFor(place);
        string parent = System.IO.Path.GetDirectoryName(path)!;
        bool madeParent = !Directory.Exists(parent);
        Directory.CreateDirectory(parent);
        bool existed = System.IO.Path.Exists(path);
        // A file in its place, or a link to a folder that is somewhere else.
        if (existed && (!Directory.Exists(path) || new DirectoryInfo(path).LinkTarget is not null)) throw Foreign(path);
        if (!existed) Directory.CreateDirectory(path);
        SafeFileHandle folderLock = Posix.Flock(path) ?? throw Locked(path);
        StagingFolder? staging = null;
        try
        {
            if (existed) RemoveLeftovers(path);
            staging = new StagingFolder(place, path, overwrite, folderLock, madeParent);
            RunJournal.Begin(path);
            return staging;
        }
        catch
        {
            // Only a folder that turned out to be ours is removed.
            if (staging is null) folderLock.Dispose();
            else staging.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Does what is left of a run that was killed after its output became visible: deletes the folder it replaced, if any,
    /// and its journal.
    /// </summary>
    public static void FinishInterrupted(OutputPlace place)
    {
        if (!RunJournal.IsIn(place.Path)) return;
        using SafeFileHandle folderLock = Posix.Flock(place.Path) ?? throw Locked(place.Path);
        string old = PathFor(place);
        if (Directory.Exists(old) && RunJournal.SaysItReplaced(place.Path, FileIdentity.Of(old))) Directory.Delete(old, recursive: true);
        File.Delete(RunJournal.PathIn(place.Path));
    }

    /// <summary>A name no loader looks for, unique to this process.</summary>
    public string TempPath(int shard) => System.IO.Path.Combine(Path, $".t-{shard}-{Environment.ProcessId}");

    public string ScratchPath(int number) => System.IO.Path.Combine(Path, $".s-{number}-{Environment.ProcessId}");

    /// <summary>Gives a finished, durable temp file its final name.</summary>
    public void Publish(string tempPath, string fileName)
    {
        string target = System.IO.Path.Combine(Path, fileName);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
        Posix.Rename(tempPath, target);
    }

    /// <summary>Writes a small file durably.</summary>
    public void WriteFile(string name, ReadOnlySpan<byte> bytes)
    {
        using (var handle = File.OpenHandle(System.IO.Path.Combine(Path, name), FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.Write(handle, bytes, 0);
            Posix.Fsync(handle);
        }
    }

    /// <summary>Copies a side file durably, byte for byte.</summary>
    public void CopyFile(string sourcePath, string relativeName)
    {
        string target = System.IO.Path.Combine(Path, relativeName);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
        using var source = new FileStream(sourcePath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var copy = new FileStream(target, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        source.CopyTo(copy);
        copy.Flush();
        Posix.Fsync(copy.SafeFileHandle);
    }

    /// <summary>Makes the output visible under its final name; what it replaces is deleted only after that.</summary>
    public void Commit()
    {
        foreach (string folder in Directory.EnumerateDirectories(Path, "*", SearchOption.AllDirectories)) Posix.FsyncDirectory(folder);
        Posix.FsyncDirectory(Path);
        string? replaced = _place.IsMountPoint ? MoveIntoMountPoint() : MoveFolder();
        Committed = true;
        Posix.FsyncDirectory(_place.IsMountPoint ? _place.Path : _place.Parent!);
        if (replaced is not null) Directory.Delete(replaced, recursive: true);
        // Last of all: until here it says what a run killed in between has left to do.
        if (!_place.IsMountPoint) File.Delete(RunJournal.PathIn(_place.Path));
    }

    public void Dispose()
    {
        if (_lock is null) return;
        if (!Committed && Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
        string parent = System.IO.Path.GetDirectoryName(Path)!;
        if (!Committed && _madeParent && IsEmpty(parent)) Directory.Delete(parent);
        _lock.Dispose();
        _lock = null;
    }

    private static void RemoveLeftovers(string path)
    {
        if (!IsEmpty(path) && !RunJournal.IsIn(path)) throw Foreign(path);
        foreach (string folder in Directory.EnumerateDirectories(path)) Directory.Delete(folder, recursive: true);
        foreach (string file in Directory.EnumerateFiles(path).Where(file => file != RunJournal.PathIn(path))) File.Delete(file);
        File.Delete(RunJournal.PathIn(path));
    }

    private static bool IsEmpty(string folder) => !Directory.EnumerateFileSystemEntries(folder).Any();

    /// <summary>One rename of the whole folder.</summary>
    /// <returns>A folder that is now to be deleted, or null.</returns>
    private string? MoveFolder()
    {
        string output = _place.Path;
        if (!Directory.Exists(output))
        {
            MoveIfAbsent();
            return null;
        }

        if (!_place.Entries().Any())
        {
            // rename(2) replaces an empty folder atomically.
            Posix.Rename(Path, output);
            return null;
        }

        if (!_overwrite) throw OutputAppeared();
        RunJournal.Replaces(Path, FileIdentity.Of(output));
        if (Posix.RenameExchange(Path, output)) return Path;
        string old = Path + ".old";
        Posix.Rename(output, old);
        Posix.Rename(Path, output);
        return old;
    }

    private void MoveIfAbsent()
    {
        try
        {
            if (Posix.RenameNoReplace(Path, _place.Path)) return;
        }
        catch (IOException exists) when (exists.HResult == NameExists)
        {
            throw OutputAppeared();
        }

        // A file system without renameat2: a window between check and rename remains.
        if (System.IO.Path.Exists(_place.Path)) throw OutputAppeared();
        Posix.Rename(Path, _place.Path);
    }

    /// <summary>
    /// A mount point cannot be renamed over: its files move in one by one, config.json last, without which no loader takes
    /// the folder for a model.
    /// </summary>
    /// <returns>The staging folder, empty but for the journal.</returns>
    private string MoveIntoMountPoint()
    {
        if (_place.Entries().Any()) throw OutputAppeared();
        IEnumerable<string> names = Directory.EnumerateFileSystemEntries(Path)
            .Where(path => path != RunJournal.PathIn(Path)).Select(System.IO.Path.GetFileName).OfType<string>()
            .OrderBy(name => name == "config.json").ThenBy(name => name, StringComparer.Ordinal);
        foreach (string name in names.ToList())
            Posix.Rename(System.IO.Path.Combine(Path, name), System.IO.Path.Combine(_place.Path, name));
        return Path;
    }

    private static UserErrorException Foreign(string path) => new(
        ExitCode.CannotResume, "STAGING-FOREIGN", "the staging folder exists and was not made by this tool")
    {
        File = path,
        Action = "move it away, or choose another --output",
    };

    private static UserErrorException Locked(string path) => new(ExitCode.Locked, "LOCKED", "another run is writing this output")
    {
        File = path,
        Action = "wait for it to finish, or choose another --output",
    };

    private UserErrorException OutputAppeared() => new(
        ExitCode.OutputRefused, "OUTPUT-EXISTS", "the output appeared while this run was working")
    {
        File = _place.Path,
        Action = "choose another --output, or use --overwrite",
    };
}
