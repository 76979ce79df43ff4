using Bnb.Formats.IO;

namespace Bnb.Engine.Output;

/// <summary>Gives a complete staging folder its final name.</summary>
internal static class OutputMove
{
    /// <summary>Suffix of an old output on its way out, where two folders cannot change places in one step.</summary>
    public const string OldSuffix = ".old";

    private const int NameExists = 17;

    /// <summary>One rename of the whole folder.</summary>
    /// <returns>A folder that is now to be deleted, or null.</returns>
    public static string? Folder(OutputPlace place, string staging, bool overwrite, RunJournal journal)
    {
        string output = place.Path;
        if (!Directory.Exists(output))
        {
            IfAbsent(place, staging);
            return null;
        }

        if (!place.Entries().Any())
        {
            // rename(2) replaces an empty folder atomically.
            Posix.Rename(staging, output);
            return null;
        }

        if (!overwrite) throw StagingErrors.OutputAppeared(output);
        journal.Replaces(FileIdentity.Of(output));
        if (Posix.RenameExchange(staging, output)) return staging;
        string old = staging + OldSuffix;
        Posix.Rename(output, old);
        Posix.Rename(staging, output);
        return old;
    }

    /// <summary>
    /// A mount point cannot be renamed over: its files move in one by one, and last the one without which no
    /// loader takes the folder for a model.
    /// </summary>
    /// <param name="last">Its name.</param>
    public static void IntoMountPoint(OutputPlace place, string staging, string last, RunJournal journal)
    {
        if (place.Entries().Any()) throw StagingErrors.OutputAppeared(place.Path);
        journal.Moves();
        IEnumerable<string> names = Directory.EnumerateFileSystemEntries(staging)
            .Select(Path.GetFileName).OfType<string>().Where(name => !StagingNames.IsOwn(name))
            .OrderBy(name => name == last).ThenBy(name => name, StringComparer.Ordinal);
        foreach (string name in names.ToList()) Posix.Rename(Path.Combine(staging, name), Path.Combine(place.Path, name));
    }

    /// <summary>
    /// Undoes what a run that was killed in between began: an output half moved into a mount point goes back into the
    /// staging folder, an old output that had stepped aside goes back to its place.
    /// </summary>
    public static void UndoHalf(OutputPlace place)
    {
        string staging = StagingNames.FolderFor(place);
        if (!JournalFolder.IsIn(staging)) return;
        JournalFolder journals = JournalFolder.Read(staging);
        if (place.IsMountPoint)
        {
            if (!journals.Moves) return;
            foreach (string name in place.Entries().ToList()) Posix.Rename(Path.Combine(place.Path, name), Path.Combine(staging, name));
            return;
        }

        string old = staging + OldSuffix;
        if (!Path.Exists(place.Path) && Directory.Exists(old) && journals.SaysItReplaced(FileIdentity.Of(old))) Posix.Rename(old, place.Path);
    }

    private static void IfAbsent(OutputPlace place, string staging)
    {
        try
        {
            if (Posix.RenameNoReplace(staging, place.Path)) return;
        }
        catch (IOException exists) when (exists.HResult == NameExists)
        {
            throw StagingErrors.OutputAppeared(place.Path);
        }

        // A file system without renameat2: a window between check and rename remains.
        if (Path.Exists(place.Path)) throw StagingErrors.OutputAppeared(place.Path);
        Posix.Rename(staging, place.Path);
    }
}
