using Bnb.Engine.Errors;

namespace Bnb.Engine.Output;

/// <summary>
/// Keeps the staging folder of a run, which holds finished shards under their final names, from being taken for a
/// checkpoint.
/// </summary>
internal static class UnfinishedOutput
{
    /// <exception cref="UserErrorException">INCOMPLETE: the path is such a folder.</exception>
    public static void Refuse(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (!IsStaging(full) && !(File.Exists(full) && Path.GetDirectoryName(full) is { } folder && IsStaging(folder))) return;
        throw new UserErrorException(ExitCode.InputMalformed, "INCOMPLETE", "this is the staging folder of a run that is in progress or was interrupted")
        {
            File = path,
            Action = "wait for the run, or run it again",
        };
    }

    /// <summary>
    /// By its name, or under another one and through a link by what a run keeps in it. An output that has only just got its name has that
    /// too, for a moment or since the run was killed in that moment, but a manifest as well.
    /// </summary>
    public static bool IsStaging(string folder) => Path.GetFileName(folder).EndsWith(StagingNames.Suffix, StringComparison.Ordinal)
        || (Directory.Exists(folder) && JournalFolder.IsIn(folder) && !File.Exists(Path.Combine(folder, OutputManifest.FileName)));
}
