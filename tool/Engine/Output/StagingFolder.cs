using System.Collections.Concurrent;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Formats.IO;
using Microsoft.Win32.SafeHandles;

namespace Bnb.Engine.Output;

/// <summary>
/// The folder in which an output is built, beside its final place, so that one rename makes all of it visible. It is locked
/// while in use, by one run or by workers that share it, and holds the plan and journals: what an earlier run of the same
/// plan finished is taken over, a folder without a journal is not ours and is never touched.
/// </summary>
internal sealed class StagingFolder : IDisposable
{
    private const int CopiedPiece = 1 << 20;

    private readonly OutputPlace _place;
    private readonly WriteMode _mode;
    private readonly bool _madeParent;
    private readonly List<string> _temps = [];
    private readonly ConcurrentBag<FileRecord> _unhashed = [];
    private SafeFileHandle? _lock;
    private RunJournal? _journal;
    private bool _keep;

    private StagingFolder(OutputPlace place, PlanRecord plan, WriteMode mode, SafeFileHandle folderLock, bool madeParent)
    {
        (_place, Plan, _mode, _lock, _madeParent) = (place, plan, mode, folderLock, madeParent);
        Path = StagingNames.FolderFor(place);
    }

    public string Path { get; }

    public PlanRecord Plan { get; }

    /// <summary>What earlier runs finished, by their word; nothing of it has been checked.</summary>
    public JournalFolder Earlier { get; private set; } = new();

    /// <summary>True from the moment the output has its final name; what fails after that only fails to clean up.</summary>
    public bool Committed { get; private set; }

    /// <summary>Set when what was finished is worth nothing to a later run.</summary>
    public bool Discard { get; set; }

    /// <summary>Weight files that stay in the folder when the run ends without a commit.</summary>
    public int Finished { get; private set; }

    /// <summary>Opens and locks the staging folder of an output, creating it when there is none.</summary>
    /// <param name="state">Of the source, <see cref="SourceRecord.StateOf"/>.</param>
    public static StagingFolder Open(OutputPlace place, PlanRecord plan, string state, WriteMode mode, IRunEvents events)
    {
        string path = StagingNames.FolderFor(place), parent = System.IO.Path.GetDirectoryName(path)!;
        bool madeParent = !Directory.Exists(parent);
        Directory.CreateDirectory(parent);
        // A file in its place, or a link to a folder that is somewhere else. Another worker may commit at any moment, and it is gone.
        if (File.Exists(path) || new DirectoryInfo(path).LinkTarget is not null) throw StagingErrors.Foreign(path);
        bool existed = Directory.Exists(path);
        SafeFileHandle? folderLock = null;
        StagingFolder? staging = null;
        try
        {
            if (!existed) Directory.CreateDirectory(path);
            folderLock = StagingLock.Take(path, mode.Shared, events);
            staging = new StagingFolder(place, plan, mode, folderLock, madeParent);
            StagingCheck.Run(path, plan, state, mode.Restart);
            if (!mode.Shared) StagingCheck.DeleteTemps(path);
            staging.Earlier = JournalFolder.Read(path);
            // Until it is checked it counts: a run that is stopped before that must not throw it away.
            staging.Finished = staging.Earlier.Shards.Count;
            staging._journal = RunJournal.Begin(path, plan, state);
            staging.WritePlan();
            return staging;
        }
        catch
        {
            // Only a folder that turned out to be ours is emptied; an empty one goes if it is new.
            if (staging?._journal is not null)
            {
                staging.Dispose();
                throw;
            }

            folderLock?.Dispose();
            if (!existed && IsEmpty(path)) Directory.Delete(path);
            if (madeParent && IsEmpty(parent)) Directory.Delete(parent);
            throw;
        }
    }

    /// <summary>
    /// Does what is left of a run that was killed after its output became visible: deletes the folder it replaced, if any,
    /// and its journals.
    /// </summary>
    public static void FinishInterrupted(OutputPlace place)
    {
        OutputMove.UndoHalf(place);
        // In a folder of an interrupted run they are all that the run has, not what is left of it.
        if (!JournalFolder.IsIn(place.Path) || UnfinishedOutput.IsStaging(place.Path)) return;
        using SafeFileHandle folderLock = Posix.Flock(place.Path) ?? throw StagingErrors.Locked(place.Path);
        JournalFolder journals = JournalFolder.Read(place.Path);
        string staging = StagingNames.FolderFor(place);
        foreach (string old in (string[])[staging, staging + OutputMove.OldSuffix])
        {
            if (Directory.Exists(old) && journals.SaysItReplaced(FileIdentity.Of(old))) Directory.Delete(old, recursive: true);
        }

        StagingCheck.DeleteOwn(place.Path);
    }

    /// <summary>A name no loader looks for, of this process alone.</summary>
    public string TempPath(int shard) => Temp('t', shard);

    public string ScratchPath(int number) => Temp('s', number);

    /// <summary>Gives a finished, durable temp file its final name and records it. One without a hash does not outlive the run.</summary>
    public void Publish(string tempPath, FileRecord file)
    {
        Place(tempPath, file.Name);
        _journal!.Shard(file);
        if (file.Sha256 is null) _unhashed.Add(file);
        else Finished++;
    }

    /// <summary>
    /// Deletes what earlier runs finished without a hash, to give its room back; what workers share stays, since another may just have
    /// written it anew.
    /// </summary>
    public void DeleteUnhashed(IEnumerable<string> names)
    {
        if (_mode.Shared) return;
        foreach (string name in names) File.Delete(System.IO.Path.Combine(Path, name));
    }

    /// <summary>Takes over what earlier runs finished, after it was checked.</summary>
    public void Adopt(IReadOnlyCollection<FileRecord> shards)
    {
        Finished = shards.Count;
        if (_mode.Shared) return;
        foreach (FileRecord shard in shards) _journal!.Shard(shard);
        foreach (FileRecord source in Earlier.Sources.Values) _journal!.Source(source);
        // All that counts stands in the new journal now.
        foreach (string journal in Earlier.Names) File.Delete(System.IO.Path.Combine(Path, journal));
    }

    /// <summary>Leaves everything in place, however the run ends.</summary>
    public void Keep() => _keep = true;

    /// <summary>Records what the content of a source file hashes to.</summary>
    public void RecordSource(FileRecord source) => _journal!.Source(source);

    /// <summary>Writes a small file durably, in the place of an earlier one.</summary>
    public void WriteFile(string name, ReadOnlySpan<byte> bytes)
    {
        string temp = TempPath(0);
        using (var handle = File.OpenHandle(temp, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.Write(handle, bytes, 0);
            Posix.Fsync(handle, temp);
        }

        Place(temp, name);
    }

    /// <summary>The same of a file that is not small.</summary>
    public void WriteFile(string name, Action<Stream> write)
    {
        string temp = TempPath(0);
        using (var file = new FileStream(temp, FileMode.CreateNew, FileAccess.Write, FileShare.Read))
        {
            write(file);
            file.Flush();
            Posix.Fsync(file.SafeFileHandle, temp);
        }

        Place(temp, name);
    }

    /// <summary>Copies a side file durably, byte for byte.</summary>
    public void CopyFile(string sourcePath, string relativeName, CancellationToken cancellation)
    {
        using var source = new FileStream(sourcePath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        WriteFile(relativeName, copy =>
        {
            // A component of a pipeline that is copied is gigabytes.
            byte[] piece = new byte[CopiedPiece];
            for (int length; (length = source.Read(piece)) > 0;)
            {
                cancellation.ThrowIfCancellationRequested();
                copy.Write(piece, 0, length);
            }
        });
    }

    /// <summary>The journals of all runs as they stand now, and what this one wrote without a hash.</summary>
    public JournalFolder Journals() => JournalFolder.Read(Path, _unhashed);

    /// <summary>
    /// For the commit: makes a shared folder this run's own, waiting for workers that are about to end.
    /// </summary>
    /// <returns>False when another worker has committed meanwhile, or still works.</returns>
    public bool TakeWhole(CancellationToken cancellation)
    {
        if (!_mode.Shared) return true;
        _lock!.Dispose();
        _lock = StagingLock.WaitForWhole(Path, cancellation);
        return _lock is not null;
    }

    /// <summary>Makes the output visible under its final name; what it replaces is deleted only after that.</summary>
    public void Commit()
    {
        StagingCheck.DeleteTemps(Path);
        File.Delete(System.IO.Path.Combine(Path, StagingNames.Config));
        StagingCheck.RefuseStrangers(Path, Plan);
        foreach (string folder in Directory.EnumerateDirectories(Path, "*", SearchOption.AllDirectories)) Posix.FsyncDirectory(folder);
        Posix.FsyncDirectory(Path);
        string? replaced = null;
        if (_place.IsMountPoint) OutputMove.IntoMountPoint(_place, Path, Plan.EntryName, _journal!);
        else replaced = OutputMove.Folder(_place, Path, _mode.Overwrite, _journal!);
        Committed = true;
        Posix.FsyncDirectory(_place.IsMountPoint ? _place.Path : _place.Parent!);
        if (replaced is not null) Directory.Delete(replaced, recursive: true);
        // Last of all: until here the journals say what a run killed in between has left to do.
        StagingCheck.DeleteOwn(_place.IsMountPoint ? Path : _place.Path);
        if (_place.IsMountPoint) Directory.Delete(Path);
    }

    public void Dispose()
    {
        if (_journal is null) return;
        _journal.Dispose();
        _journal = null;
        if (!Committed && Directory.Exists(Path)) CleanUp();
        _lock?.Dispose();
        _lock = null;
    }

    private static bool IsEmpty(string folder) => Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any();

    private void CleanUp()
    {
        if (_mode.Shared)
        {
            // What is not of this process may be in use.
            foreach (string temp in _temps) File.Delete(temp);
            return;
        }

        if (_keep || (Finished > 0 && !Discard))
        {
            StagingCheck.DeleteTemps(Path);
            return;
        }

        StagingCheck.DeleteOurs(Path, Plan);
        string parent = System.IO.Path.GetDirectoryName(Path)!;
        if (_madeParent && IsEmpty(parent)) Directory.Delete(parent);
    }

    private string Temp(char kind, int number)
    {
        string path = System.IO.Path.Combine(Path, StagingNames.NewTemp(kind, number));
        lock (_temps) _temps.Add(path);
        return path;
    }

    private void Place(string tempPath, string name)
    {
        string target = System.IO.Path.Combine(Path, name);
        string folder = System.IO.Path.GetDirectoryName(target)!;
        // Not the staging folder itself: when somebody deletes it, the run has to notice.
        if (folder != Path) Directory.CreateDirectory(folder);
        Posix.Rename(tempPath, target);
        Posix.FsyncDirectory(folder);
    }

    private void WritePlan()
    {
        if (StagingCheck.PlanIn(Path)?.Hash != Plan.Hash) WriteFile(StagingNames.Plan, Plan.Utf8.Span);
    }
}
